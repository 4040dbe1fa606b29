// From one sample to another: each end keeps its class, and what lies between has that of the nearer end.

import { joined, numberOf, numbersOf, refuse } from "./address.js";
import { onSlide, setSlider } from "./fields.js";
import { chosen, classes, described, has, isEdited, isMoved, kind, latentsOf, nameOf, psi, samples, scaled } from "./generator.js";
import { draw } from "./pictures.js";
import { element, latest } from "./server.js";

// Each with the label, seed, truncation, latents and moves of a sample, and whether its latents are the seed's.
const ends = { start: null, end: null };
const share = () => Number(element("share").value);
// With styles truncation and moves act there: what lengths latents have means nothing.
const isStyled = () => has("truncate");

export const show = latest(async () => {
  if (!has("latents", "interpolate") || !ends.start) return;
  const { start, end } = ends;
  const part = share();
  const nearer = part < 0.5 ? start : end;
  const labels = [start.label, nearer.label, end.label];
  const images = await samples(...(isStyled() ? inStyles(part) : inLatents(part)), labels);
  const told = [text(start), classes().length ? `class ${nameOf(nearer.label)}` : "", text(end)];
  ["start", "between", "end"].forEach((id, index) => {
    draw(element(id), images[index], kind());
    element(`${id}-caption`).textContent = told[index];
    element(id).ariaLabel = `${{ start: "Start", between: "Between", end: "End" }[id]}: ${told[index]}`;
  });
});

function inLatents(part) {
  const [one, other] = [ends.start.latents, ends.end.latents];
  return ["interpolate", { start: [one, one, one], end: [other, other, other], share: [0, part, 1] }];
}

function inStyles(part) {
  const { start, end } = ends;
  const middle = {
    latents: spherical(start.latents, end.latents, part),
    psi: linear([start.psi], [end.psi], part)[0],
    moves: linear(start.moves, end.moves, part),
  };
  const all = [start, middle, end];
  const inputs = { latents: all.map(({ latents }) => latents), share: all.map(({ psi }) => psi) };
  return has("move") ? ["move", { ...inputs, moves: all.map(({ moves }) => moves) }] : ["truncate", inputs];
}

const linear = (one, other, part) => one.map((value, index) => (1 - part) * value + part * other[index]);

// As the model's own interpolation: along the great circle, lengths linearly.
function spherical(one, other, part) {
  const [first, second] = [Math.hypot(...one), Math.hypot(...other)];
  const product = one.reduce((sum, value, index) => sum + value * other[index], 0);
  // What has no direction, or the same, has no circle.
  const angle = first && second ? Math.acos(Math.min(1, Math.max(-1, product / (first * second)))) : 0;
  const sine = Math.sin(angle);
  if (sine < 1e-6) return linear(one, other, part);
  const length = (1 - part) * first + part * second;
  const [start, end] = [Math.sin((1 - part) * angle) / first, Math.sin(part * angle) / second];
  return one.map((value, index) => ((start * value + end * other[index]) * length) / sine);
}

const text = ({ label, seed, edited }) => described(label, seed, edited ? ", changed" : "");

const ofSample = () => ({
  label: chosen.label,
  seed: chosen.seed,
  psi: psi(),
  edited: isEdited() || isMoved(),
  latents: isStyled() ? [...chosen.latents] : scaled(),
  moves: [...chosen.moves],
});

for (const name of ["start", "end"]) {
  element(`use-${name}`).addEventListener("click", () => {
    ends[name] = ofSample();
    show();
  });
}
for (const id of ["share", "cutoff"]) onSlide(id, show);

// Label, seed and truncation; behind them latents and moves where they are not the seed's.
const written = (end) =>
  joined([end.label, end.seed, end.psi, ...(end.edited ? [...end.latents, ...end.moves] : [])]);

export const keep = () =>
  ends.start && has("latents", "interpolate")
    ? { start: written(ends.start), end: written(ends.end), share: share() }
    : {};

async function endOf(kept, name, otherwise) {
  const numbers = kept[name] ? (numbersOf(kept[name]) ?? []) : otherwise;
  const [label, seed, psi, ...given] = numbers;
  const count = chosen.drawn.length;
  const edited = given.length === count + chosen.moves.length;
  const good =
    Number.isInteger(label) && label >= 0 && label < Math.max(1, classes().length) &&
    Number.isInteger(seed) && seed >= 0 && psi >= 0 && (edited || !given.length);
  if (!good) {
    refuse(`${name} must be a label, a seed and a truncation, with latents behind them or none`);
    return endOf({}, name, otherwise);
  }
  const moves = edited ? given.slice(count) : chosen.moves.map(() => 0);
  const factor = isStyled() ? 1 : psi;
  const latents = edited ? given.slice(0, count) : (await latentsOf(seed)).map((value) => value * factor);
  return { label, seed, psi, edited, latents, moves };
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
