"use strict";
// Single answers: the worst mistakes and a right one, heard and seen.

function answersCard(shown) {
  const all = [...shown.mistakes, ...(shown.right ? [shown.right] : [])];
  if (!all.length) return null;
  const attended = all.some((one) => one.picture && one.picture.num_rows);
  return el("div", { class: "card", id: "mistakes", style: "margin-top:16px" }, el("h3", {}, "The worst mistakes"),
    el("p", { class: "soft" }, "Test recordings that were taken for something else with most confidence, the mean of all trainings. Pictures are log-mel spectrograms from 0 to 8 kHz, 70 dB deep.",
      attended ? " Below them is where the final model's attention put its weight, from nothing to the most in this recording; it does not say why the model answered so." : ""),
    shown.mistakes.map(answerRow),
    shown.right ? [el("h3", { style: "margin-top:12px" }, "A right answer beside them"), answerRow(shown.right)] : null);
}

function answerRow(one) {
  const right = one.emotion === one.predicted;
  return el("div", { class: "answer" },
    el("div", { class: "said" },
      el("span", {}, `${one.utterance} (${one.speaker}): ${one.emotion} ${right ? "recognised" : "taken for "}`, right ? null : el("b", {}, one.predicted), `, ${percent(one.confidence, 0)} sure`),
      one.audio ? el("audio", { controls: true, preload: "none", src: one.audio, "aria-label": `recording ${one.utterance}` }) : el("span", { class: "soft" }, "recording not at hand")),
    one.picture ? pictureOf(one) : null);
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function pictureOf(one) {
  const { seconds, num_columns, num_bins, num_rows } = one.picture;
  const attention = num_rows ? bytesOf(one.picture.attention) : null;
  const words = `Spectrogram of ${one.utterance}, ${seconds.toFixed(1)} seconds${attention ? `; ${attentionWords(attention, num_rows, num_columns, seconds)}` : ""}`;
  return el("div", { class: "picture", role: "img", "aria-label": words },
    heat(bytesOf(one.picture.levels), num_bins, num_columns, 72),
    !attention ? null : num_rows > 1 ? heat(attention, num_rows, num_columns, 48) : hill(attention),
    el("div", { class: "times soft" }, el("span", {}, "0 s"), attention ? el("span", {}, `attention over time${num_rows > 1 ? " and frequency" : ""}`) : null, el("span", {}, `${seconds.toFixed(1)} s`)));
}

function attentionWords(attention, rows, columns, seconds) {
  const sums = Array.from({ length: columns }, (_, t) => { let sum = 0; for (let row = 0; row < rows; row += 1) sum += attention[row * columns + t]; return sum; });
  const total = sums.reduce((a, b) => a + b, 0), most = sums.indexOf(Math.max(...sums));
  const high = [...sums].sort((a, b) => b - a).slice(0, Math.ceil(columns / 4)).reduce((a, b) => a + b, 0);
  return `most attention at ${((most + 0.5) * seconds / columns).toFixed(1)} s; a quarter of the time has ${percent(total ? high / total : 0, 0)} of it`;
}

// Dark to bright, readable on light and dark paper and without colours.
const HEAT = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]];

/** Rows of bytes, the lowest first, as a picture that is stretched to its place. */
function heat(levels, rows, columns, height) {
  const canvas = el("canvas", { width: columns, height: rows, style: `height:${height}px`, "aria-hidden": "true" });
  const pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows);
  levels.forEach((level, i) => {
    const at = (level / 255) * (HEAT.length - 1), low = Math.min(Math.floor(at), HEAT.length - 2);
    const point = 4 * ((rows - 1 - Math.floor(i / columns)) * columns + (i % columns));
    for (let k = 0; k < 3; k += 1) image.data[point + k] = HEAT[low][k] + (at - low) * (HEAT[low + 1][k] - HEAT[low][k]);
    image.data[point + 3] = 255;
  });
  pen.putImageData(image, 0, 0);
  return canvas;
}

/** Weights over time as an area. */
function hill(weights) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg"), area = document.createElementNS(drawing.namespaceURI, "path");
  drawing.setAttribute("viewBox", `0 0 ${weights.length} 255`);
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  area.setAttribute("d", `M0 255 ${[...weights].map((one, t) => `L${t} ${255 - one} L${t + 1} ${255 - one}`).join(" ")} L${weights.length} 255 Z`);
  drawing.append(area);
  return drawing;
}
