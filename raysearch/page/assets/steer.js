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
  const kinds = [["more-trials", "trials more", 1], ...(run.search.has_time_budget ? [["more-time", "minutes more", 60]] : [])];
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
  const fields = run.search.fields;
  const own = run.search.trials.find((one) => one.kind === "own")?.config ?? {};
  const inputs = fields.map((field) => {
    const value = config[field.name] ?? own[field.name];
    const shownValue = value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
    return field.choices.length ? el("select", { name: field.name }, field.choices.map((one) => el("option", { value: one, selected: one === shownValue }, one)))
      : el("input", { name: field.name, value: shownValue, placeholder: `${field.low} to ${field.high}` });
  });
  const read = (text) => { try { return JSON.parse(text); } catch (error) { return text; } };
  const dialog = el("dialog", {}, el("form", { method: "dialog" }, el("h3", {}, "Try these settings next"),
    el("p", { class: "soft" }, "What is left empty has the space's own value. The trial comes on top of those that are planned."),
    inputs.map((input) => el("label", {}, `${input.name} `, input)),
    el("div", { class: "tools" }, el("button", { type: "submit", value: "try", class: "plain" }, "try"), el("button", { type: "submit", value: "", class: "plain" }, "cancel"))));
  dialog.addEventListener("close", () => {
    const filled = inputs.filter((input) => input.value.trim() !== "");
    const values = Object.fromEntries(filled.map((input) => [input.name, input.tagName === "SELECT" ? chosenValue(run, input) : read(input.value)]));
    if (dialog.returnValue === "try") steer({ action: "try", values });
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** A choice as the space has it: a word, or what is not one. */
function chosenValue(run, input) {
  const words = run.search.fields.find((one) => one.name === input.name).words;
  return words.includes(input.value) ? input.value : JSON.parse(input.value);
}
