"use strict";
// The data: who says what, how long, on which side, what was left out; and how to do it again.

function dataPart(run) {
  const data = run.data;
  if (!data) return null;
  const totals = data.sides.map((side, i) => `${side} ${data.totals[i]}`).join(", ");
  return part("data", "Data",
    el("p", {}, `${data.corpus}, ${data.protocol}, fold ${data.fold}: ${totals} utterances${data.hours ? `, ${data.hours.toFixed(2)} hours` : ""}.`),
    data.audit.length ? el("ul", {}, data.audit.map((line) => el("li", {}, line))) : null,
    data.emotions.length ? null : el("p", { class: "soft" }, "This run was made by an earlier version, which did not keep what each speaker says."),
    el("div", { class: "grid" }, speakersFigure(data), durationsFigure(data)),
    data.dropped.length ? el("div", { class: "card", style: "margin-top:16px" }, el("h3", {}, "What was dropped, and why"),
      table([{ head: "files", numeric: true }, { head: "reason" }, { head: "as" }], data.dropped.map((one) => [one.count, one.reason, one.example]))) : null);
}

function speakersFigure(data) {
  if (!data.emotions.length) return null;
  const most = Math.max(1, ...data.speakers.flatMap((one) => one.counts));
  const names = data.speakers.map((one) => `${one.speaker} · ${one.side}`);
  return figure("speakers", "Speakers and emotions", data.speakers.map((one) => `${one.speaker}, ${one.side}: ${one.counts.reduce((a, b) => a + b, 0)} utterances`).join("; "), () => ({
    grid: { top: 8, bottom: 8 }, xAxis: { type: "category", data: data.emotions, axisLabel: { interval: 0, rotate: 35, hideOverlap: false } },
    yAxis: { type: "category", inverse: true, data: names },
    visualMap: { show: false, min: 0, max: most, inRange: { color: [ink("card"), colour(2)] } },
    tooltip: { formatter: (item) => `${safe(names[item.value[1]])}<br>${safe(data.emotions[item.value[0]])}: <b>${item.value[2]}</b>` },
    series: [{ type: "heatmap", itemStyle: { borderColor: ink("line"), borderWidth: 1 }, data: data.speakers.flatMap((one, i) => one.counts.map((count, j) => [j, i, count])),
      label: { show: data.speakers.length < 41, color: ink("ink"), formatter: (item) => String(item.value[2] || "") } }],
  }), { height: 110 + Math.max(8, Math.min(28, 900 / data.speakers.length)) * data.speakers.length, note: "Utterances of each speaker and emotion, by side." });
}

function durationsFigure(data) {
  if (!data.durations.length) return null;
  return figure("durations", "Durations", `Durations of ${data.totals.reduce((a, b) => a + b, 0)} utterances from 0 to ${data.durations[data.durations.length - 1].end_s.toFixed(1)} seconds.`, () => ({
    legend: {}, grid: { top: 40, bottom: 26 }, xAxis: { type: "category", name: "seconds, from", nameLocation: "middle", nameGap: 26, data: data.durations.map((one) => one.start_s.toFixed(2)) }, yAxis: { type: "value" },
    tooltip: { trigger: "axis" },
    series: data.sides.map((side, i) => ({ name: side, type: "bar", stack: "all", data: data.durations.map((one) => one.counts[i]) })),
  }), { note: "Utterances by duration; the longest ones are in the last bar." });
}

function reproducePart(run) {
  const how = run.reproduction;
  const copy = el("button", { type: "button", class: "plain", onclick: () => navigator.clipboard.writeText(how.command).then(() => { copy.textContent = "copied"; }, () => { copy.textContent = "not allowed to copy"; }) }, "copy");
  return part("again", "How to do it again",
    el("div", { class: "card" }, el("div", { class: "tools" }, el("code", {}, how.command), copy),
      how.facts.length ? table([{ head: "what" }, { head: "value" }], how.facts) : null,
      el("details", {}, el("summary", {}, "All settings"), el("pre", {}, how.spec))));
}
