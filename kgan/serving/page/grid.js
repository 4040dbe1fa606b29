// Many samples at once: those of a class, or a row of each class. One that is chosen becomes the sample.

import { numberOf, oneOf } from "./address.js";
import { LARGEST_SEED, press } from "./fields.js";
import { chosen, classes, described, kind, nameOf, samples } from "./generator.js";
import { draw } from "./pictures.js";
import { choose as chooseSample } from "./sample.js";
import { element, latest } from "./server.js";

const PER_PAGE = 24;
const CLASSES_PER_PAGE = 10;
const list = element("grid");
const state = { first: 0, pages: 1, all: false };

const across = () => (matchMedia("(max-width: 58rem)").matches ? 5 : 12);
const seedsFrom = (first, count) =>
  Array.from({ length: count }, (_, index) => first + index).filter((seed) => seed <= LARGEST_SEED);

// The label and the seed of each cell, a list for each row with a name.
function rows() {
  if (!state.all) return [seedsFrom(state.first, PER_PAGE * state.pages).map((seed) => ({ label: chosen.label, seed }))];
  const labels = classes().map((_, label) => label).slice(0, CLASSES_PER_PAGE * state.pages);
  return labels.map((label) => seedsFrom(state.first, across()).map((seed) => ({ label, seed })));
}

export const show = latest(async () => {
  const wanted = rows();
  const cells = wanted.flat();
  const images = await samples("generate", { seeds: cells.map(({ seed }) => seed) }, cells.map(({ label }) => label));
  const held = list.contains(document.activeElement) ? { ...document.activeElement.dataset } : null;
  let index = 0;
  const parts = wanted.map((row) => {
    const buttons = row.map((one) => cellOf(one, images[index++]));
    return state.all ? group(nameOf(row[0].label), buttons) : buttons;
  });
  list.classList.toggle("all", state.all);
  list.replaceChildren(...parts.flat());
  mark();
  if (held) [...list.querySelectorAll("button")].find((one) => isOf(one, held.label, held.seed))?.focus();
  element("more").hidden = state.all && classes().length <= CLASSES_PER_PAGE * state.pages;
});

function cellOf({ label, seed }, image) {
  const button = document.createElement("button");
  button.type = "button";
  button.role = "option";
  Object.assign(button.dataset, { label, seed });
  button.ariaLabel = described(label, seed);
  const canvas = document.createElement("canvas");
  draw(canvas, image, kind());
  button.append(canvas);
  button.addEventListener("click", () => choose(button));
  return button;
}

function group(name, buttons) {
  const row = document.createElement("div");
  row.role = "group";
  row.ariaLabel = `class ${name}`;
  // Seen, and read aloud once: as the name of the group.
  row.dataset.name = name;
  row.append(...buttons);
  return row;
}

const isOf = (button, label, seed) => button.dataset.label === String(label) && button.dataset.seed === String(seed);

// The cell of the sample is the selected one, and the one that Tab leads to.
export function mark() {
  const cells = [...list.querySelectorAll("button")];
  const selected = cells.find((one) => isOf(one, chosen.label, chosen.seed));
  for (const cell of cells) {
    cell.ariaSelected = cell === selected;
    cell.tabIndex = cell === (selected ?? cells[0]) ? 0 : -1;
  }
}

function choose(button) {
  button.focus();
  chooseSample(Number(button.dataset.label), Number(button.dataset.seed));
  mark();
}

// The cell that a key leads to: the next one, or the one above or below.
function beside(cell, key) {
  const cells = [...list.querySelectorAll("button")];
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (step) return cells[cells.indexOf(cell) + step];
  if (key === "Home") return cells[0];
  if (key === "End") return cells.at(-1);
  const { left, width } = cell.getBoundingClientRect();
  const column = cells.filter((one) => Math.abs(one.getBoundingClientRect().left - left) < width / 2);
  return column[column.indexOf(cell) + { ArrowUp: -1, ArrowDown: 1 }[key]];
}

list.addEventListener("keydown", (event) => {
  const target = beside(document.activeElement, event.key);
  if (!target) return;
  event.preventDefault();
  choose(target);
});

const which = element("which-classes");
[...which.children].forEach((button, index) => button.addEventListener("click", () => {
  Object.assign(state, { all: index === 1, pages: 1 });
  press(which, index);
  show();
}));
element("more").addEventListener("click", () => {
  state.pages += 1;
  show();
});

// The chosen class is another one: the rows of all classes stay.
export const takeClass = () => (state.all ? mark() : show());

export function takeSeed() {
  Object.assign(state, { first: chosen.seed, pages: 1 });
  show();
}

export const keep = () => ({
  from: state.first === chosen.seed ? null : state.first,
  pages: state.pages === 1 ? null : state.pages,
  show: state.all ? "all" : null,
});

export function take(kept) {
  state.first = numberOf(kept, "from", chosen.seed, { most: LARGEST_SEED, whole: true });
  state.pages = numberOf(kept, "pages", 1, { least: 1, most: 20, whole: true });
  which.hidden = classes().length < 2;
  state.all = !which.hidden && oneOf(kept, "show", ["all"], null) === "all";
  press(which, Number(state.all));
  show();
}
