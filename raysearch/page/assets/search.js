"use strict";
// The search: what it reached by when, every trial's course, what the slots did, what mattered.

const searched = (trial) => trial.copied_from === null;
const kindOf = (trial) => ({ published: "published settings", own: "the space's own settings" }[trial.kind] || "searched");
/** A trial that was in flight when its search ended is under way no more. */
const statusOf = (run, one) => (one.status === "running" && run.headline.state !== "running" ? "unfinished" : one.status);
/** Of equal fields in several sections the whole name; else the last word. */
function shortName(run, name) {
  const leaf = (one) => one.split(".").pop();
  return run.search.fields.filter((one) => leaf(one.name) === leaf(name)).length > 1 ? name : leaf(name);
}

function searchPart(run) {
  const search = run.search;
  if (!search.trials.length) return part("search", "Search", el("p", {}, "No trial has begun yet."));
  return part("search", "Search",
    el("div", { class: "grid" }, bestFigure(run), coursesFigure(run), slotsFigure(run), axesFigure(run), importanceFigure(run), sliceFigure(run)),
    trialTable(run));
}

function bestFigure(run) {
  const { steps, objective } = run.search;
  if (!steps.length) return null;
  const first = steps[0], last = steps[steps.length - 1];
  const words = `The best ${objective.heading} goes from ${told(objective, first.value)} to ${told(objective, last.value)} in ${duration(last.core_s)} of core time and ${last.epochs} epochs.`;
  return figure("best-so-far", "Best so far", words, () => {
    const all = run.search.steps;
    return {
      xAxis: { type: "value", name: "core-seconds", nameLocation: "middle", nameGap: 26, min: 0 }, grid: { bottom: 26 },
      yAxis: valueAxis(objective.heading, objective.is_share),
      tooltip: { trigger: "axis", formatter: ([item]) => { const one = all[item.dataIndex];
        return `${duration(one.core_s)} of core time, ${one.epochs} epochs<br>trial ${number(one.number)}: <b>${told(objective, one.value)}</b>`; } },
      series: [{ type: "line", step: "end", symbolSize: 6, lineStyle: { width: 2 }, data: all.map((one) => [one.core_s, one.value]) }],
    };
  }, { note: "By validation: the best value of any epoch, each time it rose." });
}

function coursesFigure(run) {
  const objective = run.search.objective;
  const leader = run.search.best_first[0];
  const words = `The ${objective.heading} of ${run.search.trials.length} trials after each of at most ${run.search.max_epochs} epochs. The best is trial ${leader === undefined ? "none yet" : number(leader)}.`;
  return figure("courses", "Every trial's course", words, () => {
    const trials = run.search.trials.filter((one) => searched(one) && one.curve.length);
    const values = trials.flatMap((one) => one.curve.map((point) => point[1]));
    const lines = trials.map((one) => ({ coords: one.curve.length > 1 ? one.curve : [one.curve[0], one.curve[0]], trial: one,
      lineStyle: { color: statusColour(statusOf(run, one)), width: one.number === run.search.best_first[0] ? 3 : 1.2, opacity: one.number === run.search.best_first[0] ? 1 : 0.55 } }));
    const ends = (status) => ({ name: status, type: "scatter", symbolSize: 6, itemStyle: { color: statusColour(status) },
      data: trials.filter((one) => statusOf(run, one) === status).map((one) => ({ value: one.curve[one.curve.length - 1], trial: one })) });
    return {
      legend: {}, grid: { top: 48, bottom: 26 },
      xAxis: { type: "value", name: "epoch", nameLocation: "middle", nameGap: 26, min: 0, max: run.search.max_epochs },
      yAxis: valueAxis(objective.heading, objective.is_share, around(values)),
      tooltip: { formatter: (item) => trialWords(run, item.data.trial) },
      series: [{ type: "lines", coordinateSystem: "cartesian2d", polyline: true, data: lines },
        ...[...new Set(trials.map((one) => statusOf(run, one)))].map(ends)],
    };
  }, { height: 360, note: "A dot is where a trial ended, paused or was stopped; the thick line is the best trial's.", clicked: pickByClick });
}

function trialWords(run, trial) {
  const objective = run.search.objective;
  const why = trial.reason ? `<br>${safe(trial.reason)}` : "";
  return `<b>trial ${number(trial.number)}</b>, ${kindOf(trial)}<br>${statusOf(run, trial)} after ${trial.epochs} epochs${trial.pauses ? `, paused ${trial.pauses} time(s)` : ""}<br>${objective.heading} ${told(objective, trial.best)} at epoch ${trial.best_epoch ?? "–"}${why}`;
}

function slotsFigure(run) {
  const spans = run.search.spans;
  if (!spans.length) return null;
  const name = (one) => `slot ${one.slot}${one.sitting ? `, sitting ${one.sitting + 1}` : ""}`;
  const rows = [...new Set(spans.map(name))];
  const end = Math.max(...spans.map((one) => one.end));
  const words = `What ${rows.length} slot(s) did in ${duration(end)}: ${spans.length} stretches of training.`;
  return figure("slots", "What the slots did", words, () => ({
    grid: { bottom: 26 }, xAxis: { type: "value", name: "seconds", nameLocation: "middle", nameGap: 26, min: 0 },
    yAxis: { type: "category", inverse: true, data: [...new Set(run.search.spans.map(name))] },
    tooltip: { formatter: (item) => { const one = run.search.spans[item.dataIndex];
      return `<b>trial ${number(one.number)}</b>: ${one.epochs} epochs, ${statusOf(run, one)}<br>${duration(one.start)} to ${duration(one.end)}`; } },
    series: [{ type: "custom", encode: { x: [1, 2], y: 0 }, data: run.search.spans.map((one) => ({ value: [name(one), one.start, one.end], trial: one })),
      renderItem: (params, api) => {
        const from = api.coord([api.value(1), api.value(0)]), to = api.coord([api.value(2), api.value(0)]), tall = Math.min(22, 0.7 * api.size([0, 1])[1]);
        const one = run.search.spans[params.dataIndex];
        return { type: "rect", shape: { x: from[0], y: from[1] - tall / 2, width: Math.max(1, to[0] - from[0]), height: tall },
          style: { fill: statusColour(statusOf(run, one)), stroke: ink("card"), lineWidth: 1 } };
      } }],
  }), { height: Math.max(180, 90 + 34 * rows.length), wide: true, note: "Blue completed, light blue paused, orange stopped early, violet stopped by hand, red failed or lost, green under way, grey unfinished when the search ended. Gaps are time without training.", clicked: pickByClick });
}

const MOST_AXES = 12;

function axesFigure(run) {
  const objective = run.search.objective;
  const trials = () => run.search.trials.filter((one) => searched(one) && one.best !== null);
  if (trials().length < 2 || !run.search.fields.length) return null;
  // The most important ones where there are too many to be told apart.
  const rank = new Map(run.search.importances.map((one, i) => [one.field, i]));
  const fields = [...run.search.fields].sort((a, b) => (rank.get(a.name) ?? 99) - (rank.get(b.name) ?? 99)).slice(0, MOST_AXES);
  // On a phone the axes lie below each other, each as long as the figure is wide.
  const narrow = innerWidth < 600;
  const words = `Parallel coordinates of ${trials().length} trials over ${fields.map((one) => one.name).join(", ")} and ${objective.heading}.`;
  return figure("axes", "Settings beside each other", words, () => {
    const where = narrow ? { nameLocation: "start", nameGap: 0 } : { nameLocation: "end" };
    const style = narrow ? { align: "left", verticalAlign: "bottom", padding: [2, 4, 4, 0], backgroundColor: ink("card") } : { width: 90, overflow: "truncate" };
    const look = { ...where, nameRotate: 0, nameTextStyle: { color: ink("soft"), ...style }, axisLabel: { color: ink("soft"), hideOverlap: true, ...(narrow ? { backgroundColor: ink("card") } : {}) }, axisLine: { lineStyle: { color: ink("soft") } } };
    const axis = (field, dim) => {
      const common = { dim, name: shortName(run, field.name), ...look };
      if (field.choices.length) {
        const given = trials().map((one) => one.config[field.name]).filter((value) => value !== undefined).map(textOf);
        return { ...common, type: "category", data: [...new Set([...field.choices.map(textOf), ...given])] };
      }
      const given = trials().map((one) => one.config[field.name]).filter((value) => typeof value === "number");
      return { ...common, type: field.is_log ? "log" : "value", min: Math.min(field.low, ...given), max: Math.max(field.high, ...given) };
    };
    const cell = (trial, field) => { const value = trial.config[field.name];
      return value === undefined ? "-" : field.choices.length ? textOf(value) : value; };
    const scale = (value) => (objective.is_share ? 100 * value : value);
    const values = trials().map((one) => scale(one.best));
    return {
      parallel: narrow ? { layout: "vertical", left: 22, right: 22, top: 34, bottom: 30 } : { left: 70, right: 90, top: 40, bottom: 24 },
      parallelAxis: [...fields.map(axis), { ...look, dim: fields.length, name: objective.heading, inverse: objective.lower_is_better, scale: true, min: Math.min(...values), max: Math.max(...values),
        axisLabel: { ...look.axisLabel, formatter: (value) => String(+value.toFixed(1)) } }],
      visualMap: { show: false, dimension: fields.length, min: Math.min(...values), max: Math.max(...values), inRange: { color: objective.lower_is_better ? ["#0072b2", "#9ecae1", "#d9b38c"] : ["#d9b38c", "#9ecae1", "#0072b2"] } },
      tooltip: { formatter: (item) => trialWords(run, item.data.trial) },
      series: [{ type: "parallel", lineStyle: { width: 2, opacity: 0.75 }, inactiveOpacity: 0.06, data: trials().map((one) => ({ value: [...fields.map((field) => cell(one, field)), scale(one.best)], trial: one })) }],
    };
  }, { wide: true, height: narrow ? 64 + 58 * fields.length : 360, note: `Draw along an axis to pick trials${page.only ? "" : ", in the table below as well"}; click the axis to let them go.`, clicked: (chart) => {
    chart.on("axisareaselected", () => {
      const series = chart.getModel().getSeries()[0];
      const kept = new Set(series.getRawIndicesByActiveState("active").map((i) => trials()[i].number));
      pickTrials(series.getRawIndicesByActiveState("inactive").length ? kept : null);
    });
    pickByClick(chart);
  } });
}

function importanceFigure(run) {
  const rows = run.search.importances;
  if (!rows.length) return null;
  const words = rows.map((one) => `${one.field}: ${percent(one.share, 0)}`).join("; ");
  return figure("importances", "What mattered", words, () => {
    const shown = run.search.importances.slice(0, 12);
    return {
      xAxis: valueAxis("", true, { min: 0 }), yAxis: { type: "category", inverse: true, data: shown.map((one) => shortName(run, one.field)) },
      tooltip: { formatter: (item) => `${safe(shown[item.dataIndex].field)}: ${percent(item.value, 0)}` },
      series: [{ type: "bar", barMaxWidth: 20, data: shown.map((one) => one.share), itemStyle: { color: colour(2) } }],
    };
  }, { height: 90 + 26 * Math.min(12, rows.length), note: "By PED-ANOVA: how much each setting tells the better trials from the others. With few trials, a hint." });
}

function sliceFigure(run) {
  const objective = run.search.objective, fields = run.search.fields;
  const trials = () => run.search.trials.filter((one) => searched(one) && one.best !== null);
  if (!fields.length || !trials().length) return null;
  const first = run.search.importances.length ? run.search.importances[0].field : fields[0].name;
  const choice = el("select", { "aria-label": "setting", onchange: () => redraw("slice") },
    fields.map((one) => el("option", { value: one.name, selected: one.name === first }, one.name)));
  return figure("slice", "One setting", `The ${objective.heading} of each trial by the value of one setting.`, () => {
    const field = fields.find((one) => one.name === choice.value);
    const points = trials().filter((one) => one.config[field.name] !== undefined)
      .map((one) => ({ value: [field.choices.length ? textOf(one.config[field.name]) : one.config[field.name], one.best], trial: one, itemStyle: { color: statusColour(statusOf(run, one)) } }));
    return {
      grid: { bottom: 26 },
      xAxis: { type: field.choices.length ? "category" : field.is_log ? "log" : "value", name: field.name, nameLocation: "middle", nameGap: 26, scale: true,
        data: field.choices.length ? [...new Set([...field.choices.map(textOf), ...points.map((one) => one.value[0])])] : undefined },
      yAxis: valueAxis(objective.heading, objective.is_share),
      tooltip: { formatter: (item) => `${safe(field.name)} ${safe(setting(item.value[0]))}<br>${trialWords(run, item.data.trial)}` },
      series: [{ type: "scatter", symbolSize: 9, data: points }],
    };
  }, { tools: choice, clicked: pickByClick });
}

function pickByClick(chart) {
  if (page.only) return; // there is no table beside it
  chart.on("click", (item) => { if (item.data && item.data.trial) { location.hash = `trial-${item.data.trial.number}`; } });
}
