"use strict";
// The whole page: of one run, or of several beside each other; live where it is served. Or one
// figure of it.

const page = JSON.parse(document.getElementById("document").textContent);
let chosen = 0;
const current = () => page.runs[chosen];

function draw() {
  const run = current(), place = scrollY, said = document.getElementById("steered");
  const [held, at] = [document.activeElement?.ariaLabel, document.activeElement?.selectionStart];
  forgetFigures();
  drawTop(run);
  if (said) document.getElementById("steered").replaceWith(said);
  const parts = [page.comparison ? comparePart(page) : null, headlinePart(run), searchPart(run), modelPart(run), dataPart(run), reproducePart(run)].filter(Boolean);
  if (page.only) {
    document.body.classList.add("single");
    document.getElementById("page").replaceChildren(parts.map((one) => one.querySelector(`#${page.only}`)).find(Boolean));
    return;
  }
  document.getElementById("page").replaceChildren(...parts);
  const choice = page.runs.length < 2 ? null : el("select", { "aria-label": "run", onchange: (event) => { chosen = Number(event.target.value); draw(); } },
    page.runs.map((one, i) => el("option", { value: i, selected: i === chosen }, one.headline.name)));
  document.getElementById("contents").replaceChildren(...parts.map((one) => el("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)), ...(choice ? [choice] : []));
  scrollTo(0, place);
  // Who was typing goes on typing.
  const again = held && document.querySelector(`[aria-label="${CSS.escape(held)}"]`);
  if (again) { again.focus({ preventScroll: true }); if (at !== null && at !== undefined && again.type === "search") again.setSelectionRange(at, at); }
}

/** Ask the server for the run as it is now; what has not changed is not drawn again. */
async function follow(tag) {
  let next = tag;
  try {
    const answer = await fetch("document.json", { headers: { "X-Raysearch-Token": token, ...(tag ? { "If-None-Match": tag } : {}) } });
    if (answer.status === 200) {
      page.runs = (await answer.json()).runs;
      next = answer.headers.get("ETag");
      draw();
    }
    document.body.classList.remove("alone");
  } catch (error) {
    document.body.classList.add("alone");
    const state = document.querySelector(".state");
    if (state) state.textContent = "no answer from raysearch watch";
  }
  setTimeout(() => follow(next), page.live.every_s * 1000);
}

draw();
if (page.live) follow(null);
// After the table, which fills its rows in such a task of its own.
if (/^#trial-\d+$/.test(location.hash)) queueMicrotask(() => window.dispatchEvent(new HashChangeEvent("hashchange")));
