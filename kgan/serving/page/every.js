// The sample's latents in every class: its style on all their shapes.

import { chosen, classes, has, kind, nameOf } from "./generator.js";
import { draw } from "./pictures.js";
import { inClasses } from "./sample.js";
import { element, latest } from "./server.js";

// How many numbers all of them may have, as a slider asks for them again and again.
const MOST = 300_000;
const list = element("every");
const fits = () => has("latents", "decode") && classes().length > 1;
let size = 1;

const show = latest(async () => {
  if (!fits()) return;
  const labels = [...classes().keys()].slice(0, Math.max(2, Math.floor(MOST / size)));
  const images = await inClasses(labels);
  const left = classes().length - labels.length;
  element("every-note").textContent = left ? ` ${left} more are not shown.` : "";
  list.replaceChildren(...labels.map((label, index) => cellOf(label, images[index])));
});

function cellOf(label, image) {
  const canvas = document.createElement("canvas");
  canvas.role = "img";
  canvas.ariaLabel = canvas.title = `class ${nameOf(label)}`;
  canvas.ariaCurrent = label === chosen.label;
  draw(canvas, image, kind());
  return canvas;
}

element("sample").addEventListener("sample", ({ detail }) => {
  size = [detail].flat(Infinity).length;
  show();
});

export function take() {
  element("every-class").hidden = !fits();
  list.replaceChildren();
}
