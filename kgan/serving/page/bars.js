// The probability of each class, before a change and after it, as a table of bars.

// Of more classes the most probable ones are shown.
const MOST = 16;

export function showBars(table, names, before, after) {
  const labels = names.map((_, label) => label);
  const share = (label) => Math.max(before[label], after?.[label] ?? 0);
  const shown = names.length > MOST ? labels.sort((one, other) => share(other) - share(one)).slice(0, MOST) : labels;
  table.tHead.rows[0].cells[2]?.toggleAttribute("hidden", !after);
  table.tBodies[0].replaceChildren(...shown.map((label) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = names[label];
    row.append(head, cell("before", before[label]));
    if (after) row.append(cell("after", after[label]));
    return row;
  }));
}

function cell(which, probability) {
  const cell = document.createElement("td");
  cell.className = which;
  const [track, text] = [document.createElement("i"), document.createElement("b")];
  track.style.width = `${100 * probability}%`;
  text.textContent = percent(probability);
  const line = document.createElement("span");
  line.append(track);
  cell.append(line, text);
  return cell;
}

export const percent = (probability) => {
  const value = 100 * probability;
  return `${value > 99 && value < 99.95 ? value.toFixed(1) : Math.round(value)}%`;
};
