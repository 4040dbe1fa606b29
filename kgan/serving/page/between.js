// From one sample to another: each end keeps its class, and what lies between has that of the nearer end.

import { joined, numberOf, numbersOf, refuse } from "./address.js";
import { onSlide, setSlider } from "./fields.js";
import { chosen, classes, described, has, isEdited, kind, latentsOf, nameOf, psi, samples, scaled } from "./generator.js";
import { draw } from "./pictures.js";
import { element, latest } from "./server.js";

// Each with the label, seed, truncation and latents of a sample, and whether those are the seed's.
const ends = { start: null, end: null };
const share = () => Number(element("share").value);

export const show = latest(async () => {
  if (!has("latents", "interpolate") || !ends.start) return;
  const { start, end } = ends;
  const part = share();
  const nearer = part < 0.5 ? start : end;
  const labels = [start.label, nearer.label, end.label];
  const [one, other] = [start.latents, end.latents];
  const inputs = { start: [one, one, one], end: [other, other, other], share: [0, part, 1] };
  const images = await samples("interpolate", inputs, labels);
  const told = [text(start), classes().length ? `class ${nameOf(nearer.label)}` : "", text(end)];
  ["start", "between", "end"].forEach((id, index) => {
    draw(element(id), images[index], kind());
    element(`${id}-caption`).textContent = told[index];
    element(id).ariaLabel = `${{ start: "Start", between: "Between", end: "End" }[id]}: ${told[index]}`;
  });
});

const text = ({ label, seed, edited }) => described(label, seed, edited ? ", changed" : "");

const ofSample = () => ({
  label: chosen.label, seed: chosen.seed, psi: psi(), edited: isEdited(), latents: scaled(),
});

for (const name of ["start", "end"]) {
  element(`use-${name}`).addEventListener("click", () => {
    ends[name] = ofSample();
    show();
  });
}
onSlide("share", show);

// Label, seed and truncation; behind them the latents where they are not the seed's.
const written = (end) => joined([end.label, end.seed, end.psi, ...(end.edited ? end.latents : [])]);

export const keep = () =>
  ends.start && has("latents", "interpolate")
    ? { start: written(ends.start), end: written(ends.end), share: share() }
    : {};

async function endOf(kept, name, otherwise) {
  const numbers = kept[name] ? (numbersOf(kept[name]) ?? []) : otherwise;
  const [label, seed, psi, ...given] = numbers;
  const edited = given.length === chosen.drawn.length;
  const good =
    Number.isInteger(label) && label >= 0 && label < Math.max(1, classes().length) &&
    Number.isInteger(seed) && seed >= 0 && psi >= 0 && (edited || !given.length);
  if (!good) {
    refuse(`${name} must be a label, a seed and a truncation, with latents behind them or none`);
    return endOf({}, name, otherwise);
  }
  const latents = edited ? given : (await latentsOf(seed)).map((value) => value * psi);
  return { label, seed, psi, edited, latents };
}

export async function take(kept) {
  Object.assign(ends, { start: null, end: null });
  element("interpolation").hidden = !has("latents", "interpolate");
  if (!has("latents", "interpolate")) return;
  const { label, seed } = chosen;
  // The sample, and another one of its class.
  const [start, end] = [await endOf(kept, "start", [label, seed, 1]), await endOf(kept, "end", [label, seed + 1, 1])];
  Object.assign(ends, { start, end });
  setSlider("share", numberOf(kept, "share", 0.5, { most: 1 }));
  show();
}
