"use strict";
// The trials as a table that sorts and filters; how it stands is part of the page's address.

const shown = { sort: "best", down: true, words: "", status: "", picked: null };

function trialTable(run) {
  readAddress();
  const objective = run.search.objective;
  const repeats = run.search.trials.filter((one) => !searched(one)).length;
  const published = run.search.trials.some((one) => one.kind === "published");
  const statuses = [...new Set(run.search.trials.map((one) => statusOf(run, one)))];
  const words = el("input", { type: "search", placeholder: "words, as: failed, width 16", "aria-label": "filter trials", value: shown.words,
    oninput: (event) => { shown.words = event.target.value; writeAddress(); fillTrials(run); } });
  const status = el("select", { "aria-label": "status", onchange: (event) => { shown.status = event.target.value; writeAddress(); fillTrials(run); } },
    el("option", { value: "" }, "every status"), statuses.map((one) => el("option", { value: one, selected: one === shown.status }, one)));
  const columns = [["number", "trial", true], ["kind", "settings of", false], ["status", "status", false], ["best", objective.heading, true],
    ["best_epoch", "at epoch", true], ["epochs", "epochs", true], ["core_s", "core-s", true],
    ...(hasShares(run) ? [["share", "share of the model", true]] : []),
    ...run.search.fields.map((field) => [`config.${field.name}`, shortName(run, field.name), !field.choices.length])];
  const heads = columns.map(([key, text, numeric]) => el("th", { scope: "col", class: numeric ? "n" : null, "data-key": key, title: key.replace("config.", "") },
    el("button", { type: "button", onclick: () => { shown.down = shown.sort === key ? !shown.down : numeric; shown.sort = key; writeAddress(); fillTrials(run); } }, text)));
  const card = el("div", { class: "card", style: "margin-top:16px" },
    el("h3", {}, "All trials"),
    el("div", { class: "tools" }, words, status, el("button", { type: "button", class: "plain", onclick: () => { Object.assign(shown, { words: "", status: "", picked: null }); words.value = ""; status.value = ""; writeAddress(); fillTrials(run); } }, "show all"),
      el("span", { id: "trial-count", class: "soft", role: "status" })),
    el("div", { class: "scroll", style: "max-height:560px;overflow-y:auto" }, el("table", { id: "trial-table" }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}))),
    published ? el("p", { class: "soft" }, "Published settings are those of the system's paper, run here to compare with.") : null,
    repeats ? el("p", { class: "soft" }, `${repeats} trial(s) repeat another's settings and have its values.`) : null);
  queueMicrotask(() => fillTrials(run));
  return card;
}

/** Whether a final model was made of trials. */
const hasShares = (run) => run.search.trials.some((one) => one.share);

const valueOf = (trial, key) => (key.startsWith("config.") ? trial.config[key.slice(7)] : trial[key]);

function fillTrials(run) {
  const objective = run.search.objective, holder = document.querySelector("#trial-table tbody");
  if (!holder) return;
  const parts = shown.words.toLowerCase().split(",").map((one) => one.trim()).filter(Boolean);
  const rows = run.search.trials.filter((one) => {
    if (shown.status && statusOf(run, one) !== shown.status) return false;
    if (shown.picked && !shown.picked.has(one.number)) return false;
    const settings = Object.entries(one.config).map(([key, value]) => `${key} ${setting(value)}`);
    const text = [`trial ${number(one.number)}`, statusOf(run, one), kindOf(one), one.reason || "", ...settings].join(", ").toLowerCase();
    return parts.every((words) => text.includes(words));
  });
  const better = shown.sort === "best" && objective.lower_is_better ? -1 : 1;
  const order = new Map(run.search.best_first.map((n, i) => [n, i]));
  rows.sort((a, b) => {
    if (shown.sort === "best" && shown.down) return (order.get(a.number) ?? 1e9) - (order.get(b.number) ?? 1e9);
    const [x, y] = [valueOf(a, shown.sort), valueOf(b, shown.sort)];
    if (x === y) return a.number - b.number;
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    return (x < y ? -1 : 1) * (shown.down ? -1 : 1) * better;
  });
  holder.replaceChildren(...rows.map((one) => trialRow(run, one)));
  document.getElementById("trial-count").textContent = `${rows.length} of ${run.search.trials.length} trials`;
  for (const head of document.querySelectorAll("#trial-table th")) {
    head.setAttribute("aria-sort", head.dataset.key !== shown.sort ? "none" : shown.down ? "descending" : "ascending");
  }
}

function trialRow(run, one) {
  const objective = run.search.objective;
  const why = one.reason || (one.copied_from === null ? one.pauses ? `paused ${one.pauses} time(s)` : null : `repeats trial ${number(one.copied_from)}`);
  const cells = [[[el("a", { href: `#trial-${one.number}` }, number(one.number)), ...steerTrial(run, one)], true], [kindOf(one), false],
    [why ? el("span", { title: why }, `${statusOf(run, one)}${one.reason ? `: ${one.reason.slice(0, 60)}` : one.copied_from === null ? "" : ", a repeat"}`) : statusOf(run, one), false], [told(objective, one.best), true], [one.best_epoch ?? "–", true],
    [one.epochs, true], [one.core_s.toFixed(1), true], ...(hasShares(run) ? [[one.share === null ? "" : percent(one.share, 0), true]] : []),
    ...run.search.fields.map((field) => { const value = one.config[field.name]; return [value === undefined ? "" : setting(value), !field.choices.length]; })];
  return el("tr", { id: `trial-${one.number}` }, cells.map(([cell, numeric]) => el("td", { class: numeric ? "n" : null }, cell)));
}

/** Show these trials alone; null: all of them. */
function pickTrials(numbers) {
  shown.picked = numbers;
  fillTrials(current());
}

function readAddress() {
  const said = new URLSearchParams(location.hash.startsWith("#trials?") ? location.hash.slice(8) : "");
  for (const key of ["sort", "words", "status"]) if (said.has(key)) shown[key] = said.get(key);
  if (said.has("down")) shown.down = said.get("down") === "1";
}

function writeAddress() {
  const said = new URLSearchParams({ sort: shown.sort, down: shown.down ? "1" : "0", words: shown.words, status: shown.status });
  history.replaceState(null, "", `#trials?${said}`);
}

window.addEventListener("hashchange", () => {
  const found = location.hash.match(/^#trial-(\d+)$/);
  if (!found) return;
  Object.assign(shown, { words: "", status: "", picked: null });
  fillTrials(current());
  const row = document.getElementById(`trial-${found[1]}`);
  document.querySelectorAll("tr.picked").forEach((other) => other.classList.remove("picked"));
  if (row) { row.scrollIntoView({ block: "center" }); row.classList.add("picked"); }
});
