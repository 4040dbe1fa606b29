// What the rows of a table shall be: for each column of categories one of them, or any.

import { refuse } from "./address.js";
import { element, endpointFor } from "./server.js";

// What the endpoint takes for a column of which nothing is asked: a star, or more where that is a category.
function anyOf(values) {
  let word = "*";
  while (values.includes(word)) word += "*";
  return word;
}

const fields = () => [...element("conditions").querySelectorAll("select")];

// The columns that can be asked for, each with its categories as texts, in the order of the endpoint's input.
function columnsOf(model) {
  if (!endpointFor(model, "generate_where")) return [];
  const known = Object.fromEntries(model.kind.columns.map((column) => [column.name, column.values ?? []]));
  return (model.conditions ?? []).map((name) => [name, known[name].map(String)]);
}

export function make(model, kept, act) {
  const columns = columnsOf(model);
  element("conditions").hidden = !columns.length;
  element("condition-fields").replaceChildren(...columns.map(([name, values]) => {
    const [label, select] = [document.createElement("label"), document.createElement("select")];
    const options = values.map((value) => new Option(value.trim() === "" ? "(missing)" : value, value));
    select.append(new Option("any", anyOf(values)), ...options);
    select.addEventListener("change", act);
    label.append(name, select);
    return label;
  }));
  // Pairs of a column's number and a category's, such as "0.2_3.1".
  for (const pair of kept.where?.split("_") ?? []) {
    const [column, value] = pair.split(".").map(Number);
    const field = fields()[column];
    if (field && value + 1 > 0 && value + 1 < field.options.length) field.selectedIndex = value + 1;
    else refuse(`where holds "${pair}", which is no category of this table`);
  }
}

// A text for each column, or null where nothing is asked for.
export function asked() {
  const chosen = fields().map((field) => field.value);
  return fields().some((field) => field.selectedIndex > 0) ? chosen : null;
}

export function clear() {
  for (const field of fields()) field.selectedIndex = 0;
}

export function keep() {
  const pairs = fields().flatMap((field, column) => (field.selectedIndex > 0 ? [`${column}.${field.selectedIndex - 1}`] : []));
  return pairs.join("_") || null;
}
