// How often each column has what: a histogram of numbers, the most frequent of all other values.

import { showBars } from "./bars.js";
import { element } from "./server.js";

const BINS = 16;
// Of other values so many are shown.
const MOST = 5;
const [WIDTH, HEIGHT] = [160, 48];
const SVG = "http://www.w3.org/2000/svg";

// Columns are { name, values, text }: `text` makes what is shown of a value.
export function showDistributions(columns) {
  const some = columns.length > 0 && columns[0].values.length > 0;
  element("distributions").hidden = !some;
  element("charts").replaceChildren(...(some ? columns.map(figureOf) : []));
}

function figureOf({ name, values, text }) {
  const figure = document.createElement("figure");
  const title = document.createElement("h3");
  title.textContent = name;
  const there = values.filter((value) => value !== null && value !== "");
  const numbers = there.every((value) => typeof value === "number");
  const chart = numbers && new Set(there).size > 1 ? histogram(name, there) : shares(name, there.map(text));
  const caption = document.createElement("figcaption");
  const lost = values.length - there.length;
  const range = numbers && there.length ? `${text(least(there))} to ${text(most(there))}` : "";
  caption.textContent = [range, lost ? `${lost} missing` : ""].filter(Boolean).join(", ");
  figure.append(title, chart, caption);
  return figure;
}

const least = (numbers) => numbers.reduce((one, other) => Math.min(one, other));
const most = (numbers) => numbers.reduce((one, other) => Math.max(one, other));

function histogram(name, numbers) {
  const [low, high] = [least(numbers), most(numbers)];
  const counts = Array(BINS).fill(0);
  for (const value of numbers) counts[Math.min(BINS - 1, Math.floor((BINS * (value - low)) / (high - low)))] += 1;
  const chart = document.createElementNS(SVG, "svg");
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const told = {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `${name}: mean ${Number(mean.toPrecision(4))}`,
  };
  for (const [key, value] of Object.entries(told)) chart.setAttribute(key, value);
  const step = WIDTH / BINS;
  chart.append(...counts.map((count, bin) => {
    const bar = document.createElementNS(SVG, "rect");
    const height = (HEIGHT * count) / most(counts);
    const box = { x: bin * step + 0.5, y: HEIGHT - height, width: step - 1, height };
    for (const [key, value] of Object.entries(box)) bar.setAttribute(key, value);
    return bar;
  }));
  return chart;
}

function shares(name, texts) {
  const counts = new Map();
  for (const one of texts) counts.set(one, (counts.get(one) ?? 0) + 1);
  const frequent = [...counts].sort(([, one], [, other]) => other - one);
  const rest = frequent.slice(MOST).reduce((sum, [, count]) => sum + count, 0);
  // One more takes no more room than "1 others" would.
  const cut = frequent.length > MOST + 1;
  const shown = cut ? [...frequent.slice(0, MOST), [`${frequent.length - MOST} others`, rest]] : frequent;
  const table = document.createElement("table");
  table.className = "bars";
  table.setAttribute("aria-label", name);
  const head = table.createTHead().insertRow();
  for (const title of ["value", "share"]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  table.createTBody();
  showBars(table, shown.map(([one]) => one), shown.map(([, count]) => count / texts.length));
  return table;
}
