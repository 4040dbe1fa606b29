// One sample's shape with another's style: a row gives the first layers of each image, a column the others.

import { numberOf } from "./address.js";
import { LARGEST_SEED, onSlide, setSlider } from "./fields.js";
import { chosen, has, kind, latentsOfAll, layers, samples } from "./generator.js";
import { draw } from "./pictures.js";
import { element, latest } from "./server.js";

const [ROWS, COLUMNS] = [4, 6];
const mixes = () => has("latents", "style", "mix");
const layer = () => Number(element("layer").value);

export const show = latest(async () => {
  if (!mixes()) return;
  const count = ROWS + COLUMNS;
  // The chosen sample first; after the largest seed comes the smallest.
  const seeds = Array.from({ length: count }, (_, index) => (chosen.seed + index) % (LARGEST_SEED + 1));
  const latents = await latentsOfAll(seeds);
  const [rows, columns] = [[...seeds.keys()].slice(0, ROWS), [...seeds.keys()].slice(ROWS)];
  // Each cell's sample of the shape and of the style; those of the edges are one sample.
  const cells = [...columns.map((one) => [one, one]), ...rows.flatMap((row) => [[row, row], ...columns.map((one) => [row, one])])];
  const inputs = {
    coarse: cells.map(([one]) => latents[one]),
    fine: cells.map(([, one]) => latents[one]),
    layer: cells.map(() => layer()),
  };
  const images = await samples("mix", inputs, cells.map(() => chosen.label));
  const made = cells.map(([shape, style], index) => cellOf(images[index], seeds[shape], seeds[style]));
  const [head, body] = element("mixed").children;
  head.replaceChildren(rowOf([document.createElement("td"), ...made.slice(0, COLUMNS)]));
  body.replaceChildren(...rows.map((_, index) => {
    const start = COLUMNS + index * (COLUMNS + 1);
    return rowOf(made.slice(start, start + COLUMNS + 1));
  }));
});

function cellOf(image, shape, style) {
  const cell = document.createElement(shape === style ? "th" : "td");
  const canvas = document.createElement("canvas");
  canvas.role = "img";
  canvas.ariaLabel = shape === style ? `seed ${shape}` : `shape of seed ${shape}, style of seed ${style}`;
  draw(canvas, image, kind());
  cell.append(canvas);
  return cell;
}

function rowOf(cells) {
  const row = document.createElement("tr");
  row.append(...cells);
  return row;
}

onSlide("layer", show);

export const keep = () => (mixes() ? { layer: layer() } : {});

export function take(kept) {
  element("mixing").hidden = !mixes();
  if (!mixes()) return;
  element("layer").max = layers();
  setSlider("layer", numberOf(kept, "layer", Math.ceil(layers() / 2), { most: layers(), whole: true }));
  show();
}
