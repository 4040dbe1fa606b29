// A generator of rows: as many as are asked for, in a table, and as a file.

import { call, classNames, element, endpointFor, latest, save } from "./server.js";

const state = { model: null, rows: [] };

// Whole numbers that JavaScript would round stay text; what is no number becomes null.
const parse = (text) =>
  JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (part) => (part[0] === '"' ? part : "null")),
    (key, value, context) =>
      Number.isInteger(value) && !Number.isSafeInteger(value) ? (context?.source ?? value) : value,
  );

const whole = (name, least) => Math.trunc(Math.max(least, Number(element(name).value) || 0));

const show = latest(async () => {
  const { model } = state;
  const [n, first] = [whole("rows", 1), whole("table-seed", 0)];
  const outputs = await call(model, endpointFor(model, "generate"), {
    seeds: Array.from({ length: n }, (_, index) => first + index),
    labels: Array(n).fill(Number(element("table-class").value)),
  }, parse);
  state.rows = Array.from({ length: n }, (_, row) => model.columns.map((name) => outputs[name][row]));
  element("table-head").replaceChildren(line(model.columns, "th"));
  element("table-body").replaceChildren(...state.rows.map((row) => line(row, "td")));
});

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
  element("table-seed").value = Math.floor(Math.random() * 1e6);
  show();
});
element("table-class").addEventListener("change", show);
element("table-download").addEventListener("click", () => {
  const lines = [state.model.columns, ...state.rows].map((row) => `${row.map(quoted).join(",")}\r\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: "text/csv" }));
  save(`${state.model.name}-${whole("table-seed", 0)}.csv`, url);
  URL.revokeObjectURL(url);
});

export const fits = (model) => model.kind?.kind === "table" && Boolean(endpointFor(model, "generate"));

export async function take(model) {
  Object.assign(state, { model, rows: [] });
  const names = "labels" in endpointFor(model, "generate").inputs ? classNames(model) : [];
  element("table-class-row").hidden = !names.length;
  element("table-class").replaceChildren(...names.map((name, label) => new Option(name, label)));
  await show();
}
