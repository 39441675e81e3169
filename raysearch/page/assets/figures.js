"use strict";
// Charts: each has a caption, words for who cannot see it, and is drawn when it comes near.

const colour = (n) => ink(`c${n}`);
/** The colour of what became of a trial. */
const statusColour = (status) => colour({ completed: 0, "stopped early": 4, "stopped by hand": 6, paused: 5, failed: 1, running: 2, lost: 1 }[status] ?? 7);
// By address of the figure: what draws it, and its chart once it was drawn.
const drawn = new Map();
const near = new IntersectionObserver((seen) => {
  for (const one of seen) if (one.isIntersecting) drawFigure(one.target.id);
}, { rootMargin: "500px" });

const sizes = new ResizeObserver((changed) => {
  for (const one of changed) drawn.get(one.target.id)?.chart?.resize();
});

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A figure; `build` gives ECharts' option when it is drawn, `words` say what it shows. */
function figure(id, title, words, build, { height = 320, wide = false, note = null, tools = null, clicked = null } = {}) {
  const box = el("div", { id: `${id}-chart`, class: "chart", role: "img", "aria-label": words, style: `height:${height}px` });
  drawn.set(box.id, { build, clicked, chart: null });
  near.observe(box);
  return el("figure", { id, class: wide ? "wide" : null },
    el("figcaption", {}, el("h3", {}, title), tools, note ? el("p", {}, note) : null), box);
}

function drawFigure(id) {
  const one = drawn.get(id), box = document.getElementById(id);
  if (!one || !box || one.chart) return;
  near.unobserve(box);
  sizes.observe(box);
  one.chart = echarts.init(box, null, { renderer: "svg" });
  one.chart.setOption(base(one.build()));
  if (one.clicked) one.clicked(one.chart);
}

/** Draw again what is on the page, with the newest values; one figure, or all of them. */
function redraw(id = null) {
  for (const [key, one] of drawn) {
    if (one.chart && (id === null || key === `${id}-chart`)) one.chart.setOption(base(one.build()), { replaceMerge: ["series"] });
  }
}

function forgetFigures() {
  for (const one of drawn.values()) if (one.chart) one.chart.dispose();
  drawn.clear();
  near.disconnect();
  sizes.disconnect();
}

function drawAll() {
  for (const id of drawn.keys()) drawFigure(id);
}

/** What all charts share: colours of the page, no animation, a tooltip that stays inside. */
function base(option) {
  // By name: ECharts measures texts on a canvas, which inherits nothing.
  const text = { color: ink("ink"), fontFamily: getComputedStyle(document.body).fontFamily };
  const axis = (one) => ({
    nameTextStyle: { color: ink("soft") }, ...one,
    axisLabel: { color: ink("soft"), hideOverlap: true, lineHeight: 14, ...one.axisLabel },
    axisLine: { lineStyle: { color: ink("line") } }, splitLine: { lineStyle: { color: ink("line") }, ...one.splitLine },
  });
  const axes = (some) => (Array.isArray(some) ? some.map(axis) : some ? axis(some) : undefined);
  return {
    animation: false, color: [0, 1, 2, 3, 4, 5, 6, 7].map(colour), textStyle: text,
    ...option,
    grid: { left: 8, right: 28, top: 28, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel", ...option.grid },
    tooltip: { confine: true, backgroundColor: ink("card"), borderColor: ink("line"), textStyle: text, ...option.tooltip },
    legend: option.legend ? { textStyle: text, type: "scroll", top: 0, ...option.legend } : undefined,
    ...(option.xAxis ? { xAxis: axes(option.xAxis) } : {}),
    ...(option.yAxis ? { yAxis: axes(option.yAxis) } : {}),
  };
}

/** Room for the names beside an axis: less on a phone. */
const labelWidth = (wide) => (innerWidth < 600 ? Math.min(wide, 105) : wide);

/** An axis of shares in percent, or of plain numbers. */
function valueAxis(name, isShare, more = {}) {
  // A name above an axis without labels, as before the first value, would begin left of the figure.
  const nameTextStyle = more.nameLocation ? {} : { align: "left" };
  return {
    type: "value", name, scale: true, nameTextStyle, ...more,
    axisLabel: { formatter: (value) => (isShare ? `${+(100 * value).toFixed(1)}%` : String(+value.toPrecision(4))), ...more.axisLabel },
  };
}

/** Horizontal lines from low to high, one a row: intervals. */
function intervalSeries(rows, colour) {
  return {
    type: "custom", silent: true, data: rows.map((row) => [row.low, row.high, row.at]), encode: { x: [0, 1], y: 2 },
    renderItem: (params, api) => {
      const [a, b] = [api.coord([api.value(0), api.value(2)]), api.coord([api.value(1), api.value(2)])];
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: colour, lineWidth: 2 } });
      return { type: "group", children: [line(a[0], a[1], b[0], b[1]), line(a[0], a[1] - 5, a[0], a[1] + 5), line(b[0], b[1] - 5, b[0], b[1] + 5)] };
    },
  };
}

window.addEventListener("beforeprint", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());

/** Bounds of an axis around values, on round numbers. */
function around(values) {
  // Not Math.min(...values): a call has room for some ten thousand.
  const [low, high] = values.reduce(([a, b], one) => [Math.min(a, one), Math.max(b, one)], [Infinity, -Infinity]);
  const step = 10 ** Math.floor(Math.log10(high - low || Math.abs(high) || 1)) / 2;
  return { min: +(Math.floor(low / step) * step).toPrecision(6), max: +(Math.ceil(high / step) * step).toPrecision(6) };
}
