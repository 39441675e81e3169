"use strict";
// What a person may ask of a search while it runs, where the page is served beside it.

const token = new URLSearchParams(location.search).get("token");
const steerable = (run) => Boolean(page.live && page.live.steers && run.headline.state === "running");

/** Ask, and say what became of it; whether it was taken. */
async function steer(asked) {
  const answer = await fetch("steer", { method: "POST", headers: { "X-Raysearch-Token": token, "Content-Type": "application/json" }, body: JSON.stringify(asked) })
    .catch((error) => ({ ok: false, text: async () => String(error) }));
  const said = document.getElementById("steered");
  said.textContent = (await answer.text()).trim();
  said.className = answer.ok ? "soft" : "worse";
  return answer.ok;
}

function steerTools(run) {
  if (!steerable(run)) return null;
  const amount = el("input", { type: "number", min: 1, value: 5, style: "width:5em", "aria-label": "how many" });
  const kinds = [["more-trials", "trials more", 1], ...(run.search.has_time_budget ? [["more-time", "minutes more", 60]] : []),
    ...(run.search.has_core_budget ? [["more-core-time", "core-minutes more", 60]] : [])];
  return el("div", { class: "tools", id: "steering", role: "group", "aria-label": "steer the search" },
    amount, kinds.map(([action, text, unit]) => el("button", { type: "button", class: "plain", onclick: () => steer({ action, amount: unit * Number(amount.value) }) }, text)),
    el("button", { type: "button", class: "plain", onclick: () => tryDialog(run, {}) }, "try settings …"),
    el("button", { type: "button", class: "plain worse", onclick: () => { if (confirm("End the search with what it has? Trials in flight end with their epoch, and the final model is made.")) steer({ action: "stop" }); } }, "stop the search"));
}

/** Buttons of a trial's row: stop it, or try its settings changed. */
function steerTrial(run, trial) {
  if (!steerable(run)) return [];
  const stop = ["running", "paused"].includes(trial.status) ? el("button", { type: "button", class: "plain", "aria-label": `stop trial ${number(trial.number)}`, onclick: () => steer({ action: "stop-trial", target: trial.number }) }, "stop") : null;
  return [stop, el("button", { type: "button", class: "plain", "aria-label": `try the settings of trial ${number(trial.number)} changed`, onclick: () => tryDialog(run, trial.config) }, "like it …")];
}

function tryDialog(run, config) {
  const inputs = run.search.fields.map((field) => {
    const value = config[field.name];
    if (!field.choices.length) return el("input", { name: field.name, value: value === undefined ? "" : textOf(value), placeholder: `${field.low} to ${field.high}` });
    const texts = field.choices.map(textOf);
    return el("select", { name: field.name }, el("option", { value: "" }, "the space's own"),
      texts.map((text, i) => el("option", { value: i, selected: value !== undefined && text === textOf(value) }, text)));
  });
  const read = (text) => { try { return JSON.parse(text); } catch (error) { return text; } };
  const valueIn = (input, i) => (input.tagName === "SELECT" ? run.search.fields[i].choices[Number(input.value)] : read(input.value));
  const dialog = el("dialog", {}, el("form", { method: "dialog" }, el("h3", {}, "Try these settings next"),
    el("p", { class: "soft" }, "What is left empty has the space's own value. The trial comes on top of those that are planned."),
    inputs.map((input) => el("label", {}, `${input.name} `, input)),
    el("div", { class: "tools" }, el("button", { type: "submit", value: "try", class: "plain" }, "try"), el("button", { type: "submit", value: "", class: "plain" }, "cancel"))));
  dialog.addEventListener("close", () => {
    const values = Object.fromEntries(inputs.map((input, i) => [input, i]).filter(([input]) => input.value.trim() !== "").map(([input, i]) => [input.name, valueIn(input, i)]));
    if (dialog.returnValue === "try") steer({ action: "try", values });
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}
