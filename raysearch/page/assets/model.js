"use strict";
// The model: where it is right and wrong, for whom, how sure it is, what it bears.

let kindShown = null;

function modelPart(run) {
  const kinds = Object.keys(run.model.evaluations);
  if (!kinds.length) return null;
  if (!kinds.includes(kindShown)) kindShown = kinds[0];
  const names = { nested: "all folds, each searched on its own", fold: "one fold", "reuse-settings": "all folds, settings of one", paper: "the paper's own split" };
  const choice = kinds.length < 2 ? null : el("select", { "aria-label": "kind of evaluation", onchange: (event) => { kindShown = event.target.value; draw(); } },
    kinds.map((kind) => el("option", { value: kind, selected: kind === kindShown }, names[kind])));
  const shown = run.model.evaluations[kindShown];
  return part("model", "Model",
    el("div", { class: "tools" }, el("span", { class: "soft" }, `On test rows, ${names[kindShown]}; protocol ${shown.figures.protocol}.`), choice),
    el("div", { class: "grid" }, confusionFigure(shown), recallFigure(shown), groupFigure("per-speaker", "By speaker", shown.figures.per_speaker_ua, shown.figures.ua.mean),
      corpusFigure(shown), columnFigures(shown), calibrationFigure(shown), noiseFigure(run), ablationFigure(run)),
    partsTable(run), answersCard(shown));
}

function confusionFigure(shown) {
  const { confusion, labels } = shown.figures;
  const totals = confusion.map((row) => row.reduce((a, b) => a + b, 0));
  const words = labels.map((label, i) => `${label}: ${confusion[i][i]} of ${totals[i]} right`).join("; ");
  return figure("confusion", "Confusions", words, () => ({
    grid: { left: 10, top: 8, bottom: 30, right: 10 },
    xAxis: { type: "category", data: labels, name: "predicted", nameLocation: "middle", nameGap: 46, axisLabel: { interval: 0, rotate: 35, hideOverlap: false }, splitArea: { show: false } },
    yAxis: { type: "category", data: labels, inverse: true, name: "true", axisLabel: { interval: 0 } },
    visualMap: { show: false, min: 0, max: 1, inRange: { color: [ink("card"), ink("accent")] } },
    tooltip: { formatter: (item) => `${safe(labels[item.value[1]])} taken for ${safe(labels[item.value[0]])}: <b>${confusion[item.value[1]][item.value[0]]}</b> of ${totals[item.value[1]]} (${percent(item.value[2], 0)})` },
    series: [{ type: "heatmap", itemStyle: { borderColor: ink("line"), borderWidth: 1 },
      data: confusion.flatMap((row, i) => row.map((count, j) => ({ value: [j, i, totals[i] ? count / totals[i] : 0], label: { color: totals[i] && count / totals[i] > 0.5 ? ink("paper") : ink("ink") } }))),
      label: { show: labels.length < 13, formatter: (item) => String(confusion[item.value[1]][item.value[0]] || "") } }],
  }), { height: 150 + 34 * labels.length, note: "Counts, all trainings together; shades are shares of the true class." });
}

function recallFigure(shown) {
  const rows = Object.entries(shown.figures.per_class_recall).filter(([, value]) => value !== null);
  return barFigure("per-class", "Recall by emotion", rows, shown.figures.ua.mean, "The line is their mean, the UA.");
}

function groupFigure(id, title, values, mean) {
  const names = shortened(Object.keys(values)), rows = Object.values(values).map((value, i) => [names[i], value]);
  return rows.length < 2 ? null : barFigure(id, title, rows, mean, "UA of each; the line is that of all together.");
}

function columnFigures(shown) {
  const by = shown.figures.by || {};
  const plain = by.sex ? null : groupFigure("per-sex", "By sex", shown.figures.per_sex_ua, shown.figures.ua.mean);
  return [plain, ...Object.entries(by).map(([column, found], i) => columnFigure(`by-${i}`, column, found, shown.figures.ua.mean))];
}

function columnFigure(id, column, found, mean) {
  const rows = Object.entries(found.groups).sort((a, b) => b[1].ua.mean - a[1].ua.mean), names = shortened(rows.map(([value]) => value));
  if (rows.length < 2) return null;
  const told = [...found.differences].sort((a, b) => (a.p ?? 2) - (b.p ?? 2) || Math.abs(b.difference) - Math.abs(a.difference)).slice(0, 3).map((one) => `${one.sentence}.`);
  const more = found.differences.length > 3 ? ` ${found.differences.length - 3} other pairs are in evaluation.json.` : "";
  return figure(id, `By ${column}`, rows.map(([value, one]) => `${value}: ${percent(one.ua.mean)} of ${one.num_speakers} speakers`).join("; "), () => ({
    xAxis: valueAxis("", true, { min: 0, max: 1, scale: false }), yAxis: { type: "category", inverse: true, data: names, axisLabel: { width: labelWidth(150), overflow: "truncate" } },
    tooltip: { formatter: (item) => { const one = rows[item.dataIndex]; return one ? `${safe(one[0])}: <b>${percent(one[1].ua.mean)}</b>${one[1].ua.interval ? ` [${percent(one[1].ua.interval[0])}, ${percent(one[1].ua.interval[1])}]` : ""}<br>${one[1].num_speakers} speakers, ${one[1].num_utterances} utterances` : ""; } },
    series: [{ type: "bar", barMaxWidth: 20, data: rows.map(([, one]) => one.ua.mean), itemStyle: { color: colour(0) },
      label: { show: true, position: "insideLeft", formatter: (item) => percent(item.value, 0) },
      markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: ink("warn"), type: "dashed" }, data: [{ xAxis: mean }] } },
      intervalSeries(rows.map(([, one], at) => ({ one, at })).filter(({ one }) => one.ua.interval).map(({ one, at }) => ({ low: one.ua.interval[0], high: one.ua.interval[1], at })), ink("ink"))],
  }), { height: 80 + 24 * rows.length, note: `UA of each, with 95% intervals where there are speakers enough; the line is that of all together. ${told.join(" ")}${more}` });
}

function corpusFigure(shown) {
  const rows = Object.entries(shown.per_corpus_ua);
  return rows.length < 2 ? null : barFigure("per-corpus", "By corpus", rows, shown.figures.ua.mean, "UA of each corpus' rows; the line is that of all together.");
}

function barFigure(id, title, rows, mean, note) {
  const sorted = [...rows].sort((a, b) => b[1] - a[1]);
  // A label takes all of its width, even where the names are short.
  const width = labelWidth(Math.min(150, 9 * Math.max(...rows.map(([name]) => name.length))));
  return figure(id, title, sorted.map(([name, value]) => `${name}: ${percent(value)}`).join("; "), () => ({
    xAxis: valueAxis("", true, { min: 0, max: 1, scale: false }), yAxis: { type: "category", inverse: true, data: sorted.map(([name]) => name), axisLabel: { width, overflow: "truncate" } },
    tooltip: { formatter: (item) => `${safe(item.name)}: <b>${percent(item.value)}</b>` },
    series: [{ type: "bar", barMaxWidth: 20, data: sorted.map(([, value]) => value), itemStyle: { color: colour(0) },
      label: { show: sorted.length < 26, position: "right", color: ink("ink"), formatter: (item) => percent(item.value, 0) },
      markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: ink("warn"), type: "dashed" }, data: [{ xAxis: mean }] } }],
  }), { height: 80 + 24 * Math.min(sorted.length, 40), note });
}

function calibrationFigure(shown) {
  const bins = shown.calibration;
  if (!bins.length) return null;
  const ece = shown.figures.ece, mended = shown.figures.ece_at_temperature;
  return figure("calibration", "Calibration", `Expected calibration error ${percent(ece)}. ${bins.map((one) => `At ${percent(one.confidence, 0)} confidence ${percent(one.accuracy, 0)} are right`).join("; ")}.`, () => ({
    grid: { bottom: 26 }, xAxis: valueAxis("confidence", true, { min: 0, max: 1, scale: false, nameLocation: "middle", nameGap: 26 }), yAxis: valueAxis("right", true, { min: 0, max: 1, scale: false }),
    tooltip: { formatter: (item) => (item.data.bin ? `confidence ${percent(item.data.bin.confidence, 0)}: ${percent(item.data.bin.accuracy, 0)} right<br>${percent(item.data.bin.share, 0)} of all predictions` : "") },
    series: [{ type: "line", silent: true, symbol: "none", lineStyle: { type: "dashed", color: ink("soft") }, data: [[0, 0], [1, 1]] },
      { type: "line", data: bins.map((one) => ({ value: [one.confidence, one.accuracy], bin: one, symbolSize: 6 + 26 * Math.sqrt(one.share) })), symbol: "circle", itemStyle: { color: colour(0) } }],
  }), { note: `Expected calibration error ${percent(ece)}${mended === undefined ? "" : `; ${percent(mended)} at the temperature of inner validation`}.${shown.figures.js ? ` Jensen-Shannon divergence from the votes: ${shown.figures.js.mean.toFixed(3)} of 1.` : ""} A dot's size is its share of the predictions; above the diagonal the model is too modest, below too sure.` });
}

function noiseFigure(run) {
  const rows = run.model.noise;
  if (!rows.length) return null;
  const name = (one) => `${one.kind} ${one.level}`.trim(), kinds = [...new Set(rows.map((one) => one.kind))];
  const clean = rows.find((one) => one.kind === "clean");
  return figure("noise", "Under noise", rows.map((one) => `${name(one)}: ${percent(one.ua)}`).join("; "), () => ({
    xAxis: valueAxis("", true, { min: 0, max: 1, scale: false }), yAxis: { type: "category", inverse: true, data: rows.map(name), axisLabel: { interval: 0, width: labelWidth(215), overflow: "truncate" } },
    tooltip: { formatter: (item) => { const one = rows[item.dataIndex]; return one ? `${safe(name(one))}: <b>${percent(one.ua)}</b>${one.interval ? ` [${percent(one.interval[0])}, ${percent(one.interval[1])}]` : ""}` : ""; } },
    series: [{ type: "bar", barMaxWidth: 16, data: rows.map((one) => ({ value: one.ua, itemStyle: { color: colour(kinds.indexOf(one.kind)) } })),
      label: { show: true, position: "insideLeft", formatter: (item) => percent(item.value, 0) },
      markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: ink("warn"), type: "dashed" }, data: clean ? [{ xAxis: clean.ua }] : [] } },
      intervalSeries(rows.map((one, at) => ({ one, at })).filter(({ one }) => one.interval).map(({ one, at }) => ({ low: one.interval[0], high: one.interval[1], at })), ink("ink"))],
  }), { height: 80 + 22 * rows.length, note: "UA of the same weights on disturbed test recordings, with 95% intervals where speakers allow any; the dashed line is that of clean ones." });
}

function ablationFigure(run) {
  // A difference is the winner's without the part, minus the winner's own.
  const rows = [...run.model.ablations].sort((a, b) => a.difference - b.difference);
  if (!rows.length) return null;
  return figure("ablations", "Without its parts", rows.map((one) => `${one.name}: ${percent(one.ua)}, ${one.verdict}`).join("; "), () => ({
    xAxis: { type: "value", name: "points of UA that the part adds", nameLocation: "middle", nameGap: 26 }, grid: { bottom: 26 }, yAxis: { type: "category", inverse: true, data: rows.map((one) => one.name) },
    tooltip: { formatter: (item) => `${safe(rows[item.dataIndex].name)}: ${percent(rows[item.dataIndex].ua)}<br>${safe(rows[item.dataIndex].verdict)}` },
    series: [{ type: "bar", barMaxWidth: 20, data: rows.map((one) => ({ value: +(-100 * one.difference).toFixed(2), itemStyle: { color: one.difference < 0 ? colour(0) : colour(1) } })) }],
  }), { height: 100 + 26 * rows.length });
}

function partsTable(run) {
  const parts = Object.entries(run.model.parts);
  if (!parts.length) return null;
  const rows = parts.map(([name, one]) => [name, percent(one.ua), percent(one.wa), percent(one.macro_f1),
    one.gain_by_fold ? Object.entries(one.gain_by_fold).map(([fold, gain]) => `${fold}: ${gain < 0 ? "−" : "+"}${Math.abs(100 * gain).toFixed(1)}`).join(", ") : ""]);
  return el("div", { class: "card", style: "margin-top:16px" }, el("h3", {}, "What the final model is compared with, on the same test rows"),
    table([{ head: "model" }, { head: "UA", numeric: true }, { head: "WA", numeric: true }, { head: "macro F1", numeric: true }, { head: "final model above it, by fold, in points" }], rows));
}
