"use strict";
const byId = (id) => document.getElementById(id);
const facts = { max_mib: 64, max_s: 600, token: false };
let asking = 0;      // counts the questions: an earlier one's answer is not shown any more
let recorder = null; // what collects the microphone's samples while it is on
let starting = false;
let last = null;     // the recording that was asked for last

/* ---- the server ---- */

async function readFacts() {
  try {
    const answer = await fetch("health", { cache: "no-store" });
    if (!answer.ok) throw new Error();
    Object.assign(facts, await answer.json());
  } catch {
    tell("The server does not answer; reload this page once it does.");
    return;
  }
  byId("model").textContent = facts.model;
  byId("limits").textContent =
    `WAV, FLAC, MP3, Ogg, AIFF …; at most ${length(facts.max_s)}, ${facts.max_mib} MiB`;
  byId("token-form").hidden = !facts.token;
}

function takeToken() {
  // Behind the #, which no browser sends to a server.
  const shown = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!shown) return;
  byId("token").value = shown;
  history.replaceState(null, "", location.pathname);
}

async function ask(recording, name) {
  const number = ++asking;
  last = [recording, name];
  tell("");
  byId("heard").textContent = "";
  if (recording.size > facts.max_mib * 2 ** 20) {
    return tell(`${name} is larger than the ${facts.max_mib} MiB that this server takes.`);
  }
  byId("state").textContent = `Listening to ${name} …`;
  const headers = { "Content-Type": "application/octet-stream" };
  const token = byId("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  const windows = byId("timeline").checked ? "?timeline=1" : "";
  let found = null, problem = "";
  try {
    const answer = await fetch(`predict${windows}`, { method: "POST", headers, body: recording });
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) found = content;
    else problem = content.error || `The server answers ${answer.status}; try again.`;
  } catch {
    problem = "The server cannot be reached; is it still running?";
  }
  if (number !== asking) return;
  byId("state").textContent = "";
  if (found) show(found, recording, name);
  else tell(problem);
}

/* ---- what is shown ---- */

function tell(problem) {
  byId("problem").textContent = problem;
  if (problem) {
    byId("state").textContent = "";
    byId("result").hidden = true;
  }
}

const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
const length = (seconds) =>
  seconds < 120 ? `${Number(seconds.toFixed(1))} s` : `${Number((seconds / 60).toFixed(1))} min`;

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function show(found, recording, name) {
  const ranked = Object.entries(found.probabilities).sort((a, b) => b[1] - a[1]);
  byId("label").textContent = found.label;
  byId("source").textContent = `${name}, ${length(found.duration_s)}`;
  const player = byId("player");
  if (player.src) URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(recording);
  byId("bars").replaceChildren(...ranked.map(([label, share]) => bar(label, share, found.label)));
  showWindows(found.timeline, ranked.map(([label]) => label), found.duration_s);
  byId("result").hidden = false;
  byId("heard").textContent = `${found.label}, ${percent(ranked[0][1])}`;
}

function bar(label, share, best) {
  const row = make("li", undefined, label === best ? "top" : "");
  const track = make("div", undefined, "track"), fill = make("div", undefined, "fill");
  fill.style.width = `${100 * share}%`;
  track.append(fill);
  row.append(make("span", label), track, make("span", percent(share)));
  return row;
}

function showWindows(windows, labels, seconds) {
  byId("over-time").hidden = !windows;
  if (!windows) return;
  byId("end").textContent = length(seconds);
  drawMap(windows, labels, seconds);
  byId("rows").replaceChildren(...windows.map((one) => {
    const row = make("tr");
    const span = `${one.start_s.toFixed(1)} to ${one.end_s.toFixed(1)}`;
    row.append(make("td", span), make("td", one.label));
    row.append(make("td", percent(one.probabilities[one.label])));
    return row;
  }));
}

/* A row an emotion, a cell from the middle of one overlap to the middle of the next. */
function drawMap(windows, labels, seconds) {
  const edges = windows.slice(1).map((one, i) => (one.start_s + windows[i].end_s) / 2);
  const starts = [0, ...edges], ends = [...edges, seconds];
  byId("map").replaceChildren(...labels.map((label) => {
    const row = make("div", undefined, "map-row"), cells = make("div", undefined, "cells");
    cells.append(...windows.map((one, i) => {
      const cell = make("div"), share = one.probabilities[label];
      cell.style.flexGrow = ends[i] - starts[i];
      cell.style.opacity = share;
      cell.title = `${label} ${percent(share)}, ${one.start_s.toFixed(1)} to ${one.end_s.toFixed(1)} s`;
      return cell;
    }));
    row.append(make("span", label), cells);
    return row;
  }));
}

/* ---- files ---- */

function watchDrops() {
  const zone = byId("drop");
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    // Beside the zone, too: a browser would leave the page for a file that misses it.
    document.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", name !== "drop" && zone.contains(event.target));
      const file = name === "drop" && event.dataTransfer.files[0];
      if (file) ask(file, file.name);
    });
  }
  byId("file").addEventListener("change", (event) => {
    const file = event.target.files[0];
    if (file) ask(file, file.name);
    event.target.value = ""; // the same file may be chosen again
  });
}

/* ---- the microphone ---- */

const COLLECTOR = `registerProcessor("collector", class extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0].length) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
});`;

async function startRecording() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext();
  const collector = URL.createObjectURL(new Blob([COLLECTOR], { type: "text/javascript" }));
  const pieces = [];
  try {
    await context.audioWorklet.addModule(collector);
  } finally {
    URL.revokeObjectURL(collector);
  }
  const node = new AudioWorkletNode(context, "collector", { numberOfOutputs: 0 });
  let samples = 0;
  node.port.onmessage = ({ data }) => {
    pieces.push(data);
    samples += data.length;
    const seconds = samples / context.sampleRate;
    byId("clock").textContent = `${seconds.toFixed(1)} s`;
    if (seconds >= facts.max_s - 1) stopRecording();
  };
  context.createMediaStreamSource(stream).connect(node);
  return { stream, context, pieces };
}

async function stopRecording() {
  if (!recorder) return;
  const { stream, context, pieces } = recorder;
  recorder = null;
  showRecording(false);
  stream.getTracks().forEach((track) => track.stop());
  await context.close();
  if (pieces.length) ask(asWav(pieces, context.sampleRate), "your recording");
  else tell("The microphone gave no samples; is it muted?");
}

/* Mono, 16 bits a sample. */
function asWav(pieces, rate) {
  const count = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const piece of pieces) {
    for (const sample of piece) {
      view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 0x7fff, true);
      at += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}

function showRecording(on) {
  const button = byId("record");
  button.textContent = on ? "Stop" : "Record";
  button.setAttribute("aria-pressed", String(on));
  if (!on) byId("clock").textContent = "";
}

function watchMicrophone() {
  const button = byId("record");
  if (!navigator.mediaDevices || !window.AudioWorkletNode) {
    button.disabled = true;
    byId("clock").textContent = "a browser gives the microphone to https and localhost only";
    return;
  }
  button.addEventListener("click", async () => {
    if (recorder) return stopRecording();
    if (starting) return;
    tell("");
    starting = true; // a disabled button would lose the keyboard's focus
    try {
      recorder = await startRecording();
      showRecording(true);
    } catch (error) {
      tell(`The microphone cannot be used: ${error.message}`);
    } finally {
      starting = false;
    }
  });
}

byId("timeline").addEventListener("change", () => last && ask(...last));
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (last) ask(...last);
});
takeToken();
watchDrops();
watchMicrophone();
readFacts();
