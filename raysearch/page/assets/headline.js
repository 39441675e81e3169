"use strict";
// The first part: how good the model is, by which protocol, and what it cost.

function drawTop(run) {
  const head = run.headline;
  document.title = `${head.name} - raysearch`;
  document.getElementById("top").replaceChildren(
    el("h1", {}, head.name),
    el("p", { class: "soft" }, `${head.system} on ${head.corpus}, ${run.data ? `${run.data.protocol}, ` : ""}`,
      el("span", { class: `state ${head.state}`, role: "status" }, head.state), head.state_note ? ` (${head.state_note})` : "",
      ` as of ${moment(head.updated)}`),
    el("div", {}, steerTools(run), el("span", { id: "steered", role: "status", class: "soft" })));
}

function headlinePart(run) {
  const head = run.headline, search = run.search;
  const final = head.test.filter((one) => one.is_final);
  const numbers = final.map((one, i) => el("div", { class: `number${i === 0 && one.is_honest && one.is_current ? " lead" : ""}` },
    el("span", {}, `UA on test rows, ${one.kind}${one.is_current ? "" : ", of an earlier winner"}`),
    el("b", {}, percent(one.ua)),
    el("span", { class: "soft" }, one.interval ? `95% interval ${percent(one.interval[0])} to ${percent(one.interval[1])} (${one.method})` : `${one.num_speakers} test speakers: no interval`),
    one.is_honest ? null : el("div", { class: "seldom" }, one.protocol === "paper" ? "optimistic: not to be compared with an honest figure" : "optimistic: see what to know of these figures")));
  const best = head.validation[head.validation.length - 1];
  const validation = best ? el("div", { class: "number" },
    el("span", {}, `${search.objective.heading} of the best trial`), el("b", {}, told(search.objective, best.value)),
    el("span", { class: "soft" }, "chose the model, so it flatters")) : null;
  const cost = el("div", { class: "number" },
    el("span", {}, "core time of training"), el("b", {}, duration(head.cost.core_s).replace(/(s|min|h)$/, "core-$1")),
    el("span", { class: "soft" }, `${head.cost.trials} trials, ${head.cost.epochs} epochs, ${duration(head.cost.wall_s)} by the clock`));
  const agreement = head.agreement.map((one, i) => el("div", { class: `number${i === 0 && one.is_current ? " lead" : ""}` },
    el("span", {}, `CCC ${one.name === "mean" ? "of all dimensions" : `of ${one.name}`} on test rows, ${one.kind}${one.is_current ? "" : ", of an earlier winner"}`),
    el("b", {}, one.ccc.toFixed(3)),
    el("span", { class: "soft" }, one.interval ? `95% interval ${one.interval[0].toFixed(3)} to ${one.interval[1].toFixed(3)} (${one.method})` : `${one.num_speakers} test speakers: no interval`)));
  const notes = [...new Set([...final, ...head.agreement].flatMap((one) => one.notes))];
  return part("result", "Result",
    el("div", { class: "figures" }, numbers, agreement, validation, cost),
    final.length || agreement.length ? null : el("p", {}, "No test figure yet: ", el("code", {}, "raysearch evaluate"), " scores the final model on rows that the search never read."),
    run.model.made_of ? el("p", {}, `Final model: ${run.model.made_of}${run.model.reason ? `; ${run.model.reason}` : ""}.`) : null,
    el("p", { class: "soft" }, sentence(head.forecast)),
    notes.length ? el("details", {}, el("summary", {}, "What to know of these figures"), el("ul", {}, notes.map((note) => el("li", {}, note)))) : null,
    el("div", { class: "grid" }, testFigure(run), validationFigure(run)));
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "");

function testFigure(run) {
  const rows = () => run.headline.test.map((one, at) => ({ ...one, at }));
  if (!rows().length) return null;
  const label = (one) => (one.is_final ? `${one.label}, ${one.kind}` : `${one.label} (${one.kind})`);
  const words = rows().map((one) => `${label(one)}: ${percent(one.ua)}`).join("; ");
  return figure("test-figures", "UA on test rows", words, () => {
    const all = rows(), chance = 1 / Math.max(...Object.values(run.model.evaluations).map((one) => one.figures.labels.length));
    const dots = (some, colour, symbol) => ({
      type: "scatter", symbol, symbolSize: 11, itemStyle: { color: colour }, data: some.map((one) => [one.ua, one.at]),
    });
    return {
      grid: { left: 8 }, xAxis: valueAxis("", true, { min: Math.min(chance, ...all.map((one) => one.ua)) - 0.02 }),
      yAxis: { type: "category", inverse: true, data: all.map(label), axisLabel: { width: labelWidth(190), overflow: "break", interval: 0 } },
      tooltip: { formatter: (item) => `${safe(label(all[item.value[1]]))}<br><b>${percent(item.value[0])}</b>` },
      series: [
        intervalSeries(all.filter((one) => one.interval).map((one) => ({ low: one.interval[0], high: one.interval[1], at: one.at })), ink("accent")),
        { ...dots(all.filter((one) => one.is_final && one.is_honest), ink("accent"), "circle"),
          markLine: { silent: true, symbol: "none", label: { formatter: "chance", position: "start", color: ink("soft") }, lineStyle: { color: ink("soft"), type: "dashed" }, data: [{ xAxis: chance }] } },
        dots(all.filter((one) => one.is_final && !one.is_honest), ink("warn"), "diamond"),
        { ...dots(all.filter((one) => !one.is_final), ink("card"), "circle"), itemStyle: { color: ink("card"), borderColor: ink("soft"), borderWidth: 2 } },
      ],
    };
  }, { height: 110 + 44 * rows().length, note: "Lines are 95% intervals; beside each figure stands by which method. Rings are what the final model is compared with; diamonds are optimistic." });
}

function validationFigure(run) {
  const objective = run.search.objective, rows = run.headline.validation;
  if (!rows.length) return null;
  const words = rows.map((one) => `${one.label}: ${told(objective, one.value)}`).join("; ");
  return figure("validation-figures", `${objective.heading}: what the search added`, words, () => ({
    xAxis: valueAxis("", objective.is_share, { scale: !objective.is_share, min: objective.is_share ? 0 : undefined }),
    yAxis: { type: "category", inverse: true, data: rows.map((one) => one.label), axisLabel: { width: labelWidth(190), overflow: "break", interval: 0 } },
    tooltip: { formatter: (item) => `${safe(item.name)}<br>trial ${number(rows[item.dataIndex].number)}: <b>${told(objective, item.value)}</b>` },
    series: [{ type: "bar", barMaxWidth: 26, data: rows.map((one) => one.value), itemStyle: { color: ink("accent") },
      label: { show: true, position: "right", color: ink("ink"), formatter: (item) => told(objective, item.value) } }],
  }), { height: 110 + 44 * rows.length, note: "By validation, which chose the best trial. Published settings that ran fewer epochs than were published are not yet what was published." });
}
