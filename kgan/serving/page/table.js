// A generator of rows: as many as are asked for, in a table, and as a file.

import { numberOf } from "./address.js";
import * as conditions from "./conditions.js";
import { showDistributions } from "./distributions.js";
import { LARGEST_SEED, randomSeed, wholeOf } from "./fields.js";
import { call, classNames, element, endpointFor, latest, questionOf, save } from "./server.js";

// The rows that are shown, and the seed of the first.
const state = { model: null, rows: [], seed: 0 };

// Whole numbers that JavaScript would round stay text; what is no number becomes null.
const parse = (text) =>
  JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (part) => (part[0] === '"' ? part : "null")),
    (key, value, context) =>
      Number.isInteger(value) && !Number.isSafeInteger(value) ? (context?.source ?? value) : value,
  );

const label = () => Number(element("table-class").value);

function asked(n, first) {
  const seeds = Array.from({ length: n }, (_, index) => first + index).filter((seed) => seed <= LARGEST_SEED);
  const where = conditions.asked();
  const inputs = { seeds, labels: seeds.map(label), where: seeds.map(() => where) };
  return [state.model, endpointFor(state.model, where ? "generate_where" : "generate"), inputs];
}

const show = latest(async () => {
  const { model } = state;
  const [n, first] = [wholeOf("rows"), wholeOf("table-seed")];
  if (n === null || first === null) return;
  const outputs = await call(...asked(n, first), parse);
  state.seed = first;
  state.rows = Object.values(outputs)[0].map((_, row) => model.columns.map((name) => outputs[name][row]));
  element("table-head").replaceChildren(line(model.columns, "th"));
  element("table-body").replaceChildren(...state.rows.map((row) => line(row, "td")));
  showDistributions(
    model.columns
      .map((name, index) => ({ name, values: state.rows.map((row) => row[index]), text: shown }))
      .filter(({ name }) => typeOf(name) !== "id"),
  );
  element("table-caption").textContent = `${state.rows.length} rows from seed ${first} on`;
});

const typeOf = (name) => state.model.kind.columns.find((column) => column.name === name)?.type;

function line(values, tag) {
  const { outputs } = endpointFor(state.model, "generate");
  const row = document.createElement("tr");
  row.append(...values.map((value, index) => {
    const cell = document.createElement(tag);
    if (tag === "th") cell.scope = "col";
    if (outputs[state.model.columns[index]].dtype !== "string") cell.className = "number";
    cell.textContent = shown(value);
    return cell;
  }));
  return row;
}

// A float32 has seven digits that mean something; bytes come as base64.
function shown(value) {
  if (value === null) return "";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(7)));
  return String(value.b64 ?? value);
}

// As RFC 4180 has it.
function quoted(value) {
  const text = shown(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

element("table-form").addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
element("table-dice").addEventListener("click", () => {
  element("table-seed").value = randomSeed();
  show();
});
element("table-class").addEventListener("change", show);
element("any-row").addEventListener("click", () => {
  conditions.clear();
  show();
});
element("table-download").addEventListener("click", () => {
  const lines = [state.model.columns, ...state.rows].map((row) => `${row.map(quoted).join(",")}\r\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: "text/csv" }));
  save(`${state.model.name}-${state.seed}.csv`, url);
  URL.revokeObjectURL(url);
});

export const fits = (model) => model.kind?.kind === "table" && Boolean(endpointFor(model, "generate"));

export const request = () => (state.rows.length ? questionOf(...asked(state.rows.length, state.seed)) : null);

export const keep = () => ({
  rows: state.rows.length,
  seed: state.seed,
  class: element("table-class").options.length ? label() : null,
  where: conditions.keep(),
});

export async function take(model, kept) {
  Object.assign(state, { model, rows: [] });
  const names = "labels" in endpointFor(model, "generate").inputs ? classNames(model) : [];
  element("table-class-row").hidden = !names.length;
  element("table-class").replaceChildren(...names.map((name, label) => new Option(name, label)));
  if (names.length)
    element("table-class").value = numberOf(kept, "class", 0, { most: names.length - 1, whole: true });
  conditions.make(model, kept, show);
  element("rows").value = numberOf(kept, "rows", 10, { least: 1, whole: true });
  element("table-seed").value = numberOf(kept, "seed", 0, { most: LARGEST_SEED, whole: true });
  await show();
}
