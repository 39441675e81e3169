"use strict";
// Small helpers: elements, numbers as text, tables.

/** Make an element; children are elements or texts, null ones are left out. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const percent = (value, digits = 1) => (value === null || value === undefined
  ? "–" : `${(100 * value).toFixed(digits)}%`);

/** A value of the objective for a reader. */
function told(objective, value) {
  if (value === null || value === undefined) return "–";
  return objective.is_share ? percent(value) : value.toPrecision(4);
}

/** Seconds for a reader: 42 s, 12.5 min, 3.2 h. */
function duration(seconds) {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(1)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** A moment, in seconds since 1970, by the reader's clock, with the zone that it is in. */
function moment(seconds) {
  const parts = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" };
  return new Date(1000 * seconds).toLocaleString(undefined, parts);
}

/** A setting for a reader. */
function setting(value) {
  if (typeof value === "number" && !Number.isInteger(value)) return String(+value.toPrecision(4));
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A value of a choice as text, the same for 2 and 2.0. */
const textOf = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** Recorded words inside a tooltip, which is HTML. */
const safe = (text) => echarts.format.encodeHTML(String(text));

/** Names without the part before the slash, if they stay different. */
function shortened(names) {
  const short = names.map((name) => name.split("/").pop());
  return new Set(short).size === new Set(names).size ? short : names;
}

const number = (n) => String(n).padStart(4, "0");

/** A table; a column is {head, numeric}, a cell an element or a text. */
function table(columns, rows, caption) {
  return el("div", { class: "scroll" }, el("table", {},
    caption ? el("caption", { class: "soft" }, caption) : null,
    el("thead", {}, el("tr", {}, columns.map((one) => el("th", { scope: "col", class: one.numeric ? "n" : null }, one.head)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell, i) => el("td", { class: columns[i].numeric ? "n" : null }, cell)))))));
}

/** A part of the page with its heading. */
function part(id, title, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), ...children);
}
