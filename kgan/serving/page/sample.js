// The sample that is looked at, and what changes it: class, seed, truncation, latent sliders.

import { joined, numberOf, numbersOf, refuse } from "./address.js";
import { LARGEST_SEED, makeChoices, makeSliders, onSlide, press, randomSeed, setSlider, setSliders, wholeOf } from "./fields.js";
import { chosen, classes, cutoff, cuts, described, has, isEdited, isMoved, kind, latentsOf, layers, psi, requestOf, samples, scaled } from "./generator.js";
import { draw } from "./pictures.js";
import { call, element, endpointFor, latest, questionOf, save, verdict } from "./server.js";

// What else shows the chosen class or seed.
const others = { class: () => {}, seed: () => {} };
export const onChange = (what, act) => {
  others[what] = act;
};

// A generator with styles is truncated there, where the mean sample lies; others in their latents.
function decoding() {
  const inputs = { latents: [chosen.latents], share: [psi()], moves: [chosen.moves] };
  if (isMoved()) return ["move", inputs];
  return has("truncate") ? ["truncate", inputs] : ["decode", { latents: [scaled()] }];
}

// The sample as each of these classes has it.
export function inClasses(labels) {
  const [role, inputs] = decoding();
  const many = Object.entries(inputs).map(([name, [one]]) => [name, labels.map(() => one)]);
  return samples(role, Object.fromEntries(many), labels);
}

const truncation = () =>
  `truncation ${psi().toFixed(2)}${cuts() && cutoff() < layers() ? ` of ${cutoff()} of ${layers()} layers` : ""}`;

const isPlain = () => !isEdited() && !isMoved() && psi() === 1;

const asked = () =>
  has("latents", "decode")
    ? requestOf(...decoding(), [chosen.label])
    : requestOf("generate", { seeds: [chosen.seed] }, [chosen.label]);

export const show = latest(async () => {
  const { label, seed } = chosen;
  const more = `${isEdited() ? ", latents changed" : ""}${isMoved() ? ", moved" : ""}${has("decode") && psi() !== 1 ? `, ${truncation()}` : ""}`;
  const [image] = has("latents", "decode")
    ? await samples(...decoding(), [label])
    : await samples("generate", { seeds: [seed] }, [label]);
  draw(element("sample"), image, kind());
  element("caption").textContent = described(label, seed, more);
  element("sample").ariaLabel = `The sample: ${described(label, seed, more)}`;
  tell(kind() === "images" ? image : null);
  if (!has("score")) return;
  const inputs = { [chosen.model.samples]: [image], labels: [label] };
  const said = await call(chosen.model, endpointFor(chosen.model, "score"), inputs);
  element("verdict").textContent = verdict(chosen.model, said);
});

// The other tabs may take the sample.
const tell = (image) => element("sample").dispatchEvent(new CustomEvent("sample", { detail: image }));

// The request for the very sample: by its seed where that is all there is to it.
export const request = () =>
  questionOf(...(has("decode") && !isPlain() ? asked() : requestOf("generate", { seeds: [chosen.seed] }, [chosen.label])));

const drawLatents = latest(async () => {
  if (has("latents", "decode")) {
    chosen.drawn = await latentsOf(chosen.seed);
    chosen.latents = [...chosen.drawn];
    setSliders(element("sliders"), chosen.latents);
  }
  show();
});

// A sample that is chosen elsewhere, such as in the gallery.
export function choose(label, seed) {
  const sameClass = label === chosen.label;
  Object.assign(chosen, { label, seed });
  press(element("class-buttons"), label);
  element("seed").value = seed;
  wholeOf("seed");
  drawLatents();
  if (!sameClass) others.class();
}

// The sample that is nearest to an image of the user's, for the sliders to go on from.
function goOnFrom({ label, latents }) {
  const sameClass = label === chosen.label;
  Object.assign(chosen, { label, latents: [...latents] });
  press(element("class-buttons"), label);
  chosen.moves.fill(0);
  setSliders(element("sliders"), chosen.latents);
  setSliders(element("moves"), chosen.moves);
  setSlider("psi", 1);
  element("latents").open = true;
  show();
  if (!sameClass) others.class();
}

function takeSeed() {
  const seed = wholeOf("seed");
  if (seed === null) return;
  chosen.seed = seed;
  drawLatents();
  others.seed();
}

function makeClasses() {
  element("classes").hidden = !classes().length;
  makeChoices(element("class-buttons"), classes(), chosen.label, (label) => {
    chosen.label = label;
    show();
    others.class();
  });
}

element("seed").addEventListener("input", takeSeed);
element("dice").addEventListener("click", () => {
  element("seed").value = randomSeed();
  takeSeed();
});
for (const id of ["psi", "cutoff"]) onSlide(id, show);
element("after").addEventListener("nearest", ({ detail }) => goOnFrom(detail));
element("reset").addEventListener("click", () => {
  chosen.latents = [...chosen.drawn];
  setSliders(element("sliders"), chosen.latents);
  show();
});
element("stay").addEventListener("click", () => {
  chosen.moves.fill(0);
  setSliders(element("moves"), chosen.moves);
  show();
});
element("download").addEventListener("click", () => {
  const large = document.createElement("canvas");
  const small = element("sample");
  const factor = Math.max(1, Math.floor(512 / small.width));
  large.width = small.width * factor;
  large.height = small.height * factor;
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, large.width, large.height);
  save(`${chosen.model.name}-${chosen.seed}.png`, large.toDataURL("image/png"));
});

export const keep = () => ({
  class: classes().length ? chosen.label : null,
  seed: chosen.seed,
  psi: has("decode") && psi() !== 1 ? psi() : null,
  cutoff: cuts() && cutoff() < layers() ? cutoff() : null,
  z: isEdited() ? joined(chosen.latents) : null,
  moves: isMoved() ? joined(chosen.moves) : null,
});

// Numbers that a link gives for so many sliders; null where it gives none.
function givenBy(kept, name, count) {
  const given = kept[name] ? numbersOf(kept[name]) : null;
  if (given?.length === count) return given;
  if (kept[name]) refuse(`${name} must be ${count} numbers`);
  return null;
}

export async function take(model, kept) {
  Object.assign(chosen, { model, label: 0, drawn: [], latents: [], moves: [] });
  if (classes().length)
    chosen.label = numberOf(kept, "class", 0, { most: classes().length - 1, whole: true });
  chosen.seed = numberOf(kept, "seed", chosen.seed, { most: LARGEST_SEED, whole: true });
  element("seed").value = chosen.seed;
  wholeOf("seed");
  setSlider("psi", numberOf(kept, "psi", 1, { most: 1.5 }));
  element("truncation").hidden = element("latents").hidden = !has("latents", "decode");
  element("truncated-layers").hidden = !cuts();
  const most = cuts() ? layers() : 0;
  element("cutoff").max = most;
  setSlider("cutoff", numberOf(cuts() ? kept : {}, "cutoff", most, { most, whole: true }));
  for (const id of ["verdict", "caption"]) element(id).textContent = "";
  element("verdict").hidden = !has("score");
  makeClasses();
  if (has("latents")) {
    chosen.drawn = await latentsOf(chosen.seed);
    chosen.latents = [...chosen.drawn];
    const given = givenBy(kept, "z", chosen.drawn.length);
    if (given) chosen.latents = given;
    element("latents").open ||= Boolean(given);
  }
  const move = endpointFor(model, "move");
  element("directions").hidden = !move || !has("latents", "truncate");
  if (move) {
    const count = move.inputs.moves.shape[1];
    const given = givenBy(kept, "moves", count);
    chosen.moves = given ?? Array(count).fill(0);
    element("directions").open ||= Boolean(given);
  }
  makeSliders(element("sliders"), "z", 3.5, chosen.latents, (index, value) => {
    chosen.latents[index] = value;
    show();
  });
  makeSliders(element("moves"), "d", 4, chosen.moves, (index, value) => {
    chosen.moves[index] = value;
    show();
  });
  show();
}
