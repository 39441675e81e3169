"use strict";
// Several runs beside each other: what may be claimed of their difference, and how they differ.

function comparePart(page) {
  const { comparison, runs } = page;
  const names = runs.map((one) => one.headline.name);
  return part("compare", "Comparison",
    el("ul", {}, comparison.pairs.map((one) => el("li", {}, `${one.sentence}.`))),
    comparison.notes.map((note) => el("p", { class: "seldom" }, note)),
    el("div", { class: "grid" }, comparedFigure(comparison), pairedFigure(comparison), bothSearches(runs)),
    differingTable(runs, names));
}

/** Why the figures may not be believed, where a figure stands alone; the page says it above. */
const doubted = (comparison) => (page.only ? comparison.notes.map((note) => ` ${sentence(note)}`).join("") : "");

/** The runs' names by their paths, which on a phone would be cut to what they have in common. */
function namesOf(comparison) {
  const paths = comparison.systems.map((one) => one.name), short = shortened(paths);
  return new Map(paths.map((path, i) => [path, short[i]]));
}

function comparedFigure(comparison) {
  const rows = comparison.systems, names = namesOf(comparison);
  return figure("compared", `UA on test rows, ${comparison.kind}`, rows.map((one) => `${one.name}: ${percent(one.ua)}`).join("; "), () => ({
    xAxis: valueAxis("", true), yAxis: { type: "category", inverse: true, data: rows.map((one) => names.get(one.name)), axisLabel: { width: labelWidth(170), overflow: "truncate" } },
    tooltip: { formatter: (item) => { const one = rows[item.value[1]]; return `${safe(one.name)}: <b>${percent(one.ua)}</b>${one.interval ? ` [${percent(one.interval[0])}, ${percent(one.interval[1])}: ${safe(one.method)}]` : ""}`; } },
    series: [intervalSeries(rows.map((one, at) => ({ one, at })).filter(({ one }) => one.interval).map(({ one, at }) => ({ low: one.interval[0], high: one.interval[1], at })), ink("accent")),
      { type: "scatter", symbolSize: 11, itemStyle: { color: ink("accent") }, data: rows.map((one, at) => [one.ua, at]) }],
  }), { height: 110 + 40 * rows.length, note: `Lines are 95% intervals; a point's label says by which method. They may overlap though the paired difference is shown.${doubted(comparison)}` });
}

function pairedFigure(comparison) {
  const names = namesOf(comparison);
  const speakers = [...new Set(comparison.pairs.flatMap((one) => Object.keys(one.per_speaker_ua_difference)))];
  return figure("paired", "Difference by speaker", comparison.pairs.map((one) => one.sentence).join("; "), () => ({
    legend: {}, grid: { top: 44, bottom: 26 }, xAxis: { type: "value", name: "points of UA, the first named less the second", nameLocation: "middle", nameGap: 26 },
    yAxis: { type: "category", data: shortened(speakers) },
    tooltip: { formatter: (item) => `${safe(item.seriesName)}<br>${safe(speakers[item.value[1]])}: <b>${item.value[0].toFixed(1)}</b>` },
    series: comparison.pairs.map((one, i) => ({ name: `${names.get(one.first)} − ${names.get(one.second)}`, type: "scatter", symbolSize: 9,
      data: speakers.map((speaker, at) => [100 * (one.per_speaker_ua_difference[speaker] ?? NaN), at]),
      markLine: i ? undefined : { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: ink("soft") }, data: [{ xAxis: 0 }] } })),
  }), { height: 130 + 22 * Math.min(40, speakers.length), note: doubted(comparison).trim() || null });
}

function bothSearches(runs) {
  const objective = runs[0].search.objective;
  if (runs.some((one) => one.search.objective.name !== objective.name || !one.search.steps.length)) return null;
  return figure("both-searches", "Best so far", runs.map((one) => `${one.headline.name}: ${told(objective, one.search.steps[one.search.steps.length - 1].value)}`).join("; "), () => ({
    legend: {}, grid: { top: 44, bottom: 26 }, xAxis: { type: "value", name: "core-seconds", nameLocation: "middle", nameGap: 26, min: 0 }, yAxis: valueAxis(objective.heading, objective.is_share),
    tooltip: { formatter: (item) => `${safe(item.seriesName)}<br>${duration(item.value[0])}: <b>${told(objective, item.value[1])}</b>` },
    series: runs.map((one) => ({ name: one.headline.name, type: "line", step: "end", symbolSize: 5, data: one.search.steps.map((step) => [step.core_s, step.value]) })),
  }), { note: "By validation." });
}

function differingTable(runs, names) {
  const winner = (run) => run.search.trials.find((one) => one.number === run.search.best_first[0])?.config ?? {};
  const fields = [...new Set(runs.flatMap((run) => Object.keys(winner(run))))];
  const texts = (field) => runs.map((run) => (winner(run)[field] === undefined ? "" : setting(winner(run)[field])));
  const rows = fields.map((field) => [field, ...texts(field)]);
  rows.sort((a, b) => Number(new Set(a.slice(1)).size === 1) - Number(new Set(b.slice(1)).size === 1));
  return el("div", { class: "card", style: "margin-top:16px" }, el("h3", {}, "Settings of the best trials, those that differ first"),
    table([{ head: "setting" }, ...names.map((head) => ({ head }))], rows));
}
