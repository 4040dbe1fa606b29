// The classifier to fool: draw or upload an image, see its answer, and what an attack makes of it.

import { numberOf, oneOf } from "./address.js";
import { percent, showBars } from "./bars.js";
import { onSlide, setSlider } from "./fields.js";
import { Paper } from "./paper.js";
import { canvasOf, draw, onUpload, shapeOf, shrink } from "./pictures.js";
import { ask, element, latest, showError } from "./server.js";

// The image, where it came from, the sample that the gallery offers, and whether a link asks for it.
const state = { classifier: null, image: null, source: null, sample: null, awaited: false };
const names = () => state.classifier.class_names;

// How a drawing is read, white on black.
const DRAWN = { resize: "stretch", background: "#000000" };

const question = () => ({
  path: "kgan/attack",
  body: {
    image: state.image,
    epsilon: Number(element("epsilon").value),
    attack: element("attack").value,
    norm: element("norm").value,
  },
});

const show = latest(async () => {
  if (!state.image) return;
  const { path, body } = question();
  draw(element("clean"), body.image);
  const { image, before, after } = await ask(path, body);
  draw(element("attacked"), image);
  const clean = body.image.flat(2);
  tell(before, after, image.flat(2).some((value, index) => Math.abs(value - clean[index]) > 1e-5));
  showBars(element("bars"), names(), before, after);
});

const best = (shares) => shares.indexOf(Math.max(...shares));

function tell(before, after, changed) {
  const [first, second] = [best(before), best(after)];
  const said = (label, shares) => `${names()[label]} (${percent(shares[label])})`;
  const answer = element("answer");
  answer.classList.toggle("fooled", first !== second);
  answer.textContent =
    first !== second ? `It saw ${said(first, before)}, now ${said(second, after)}` : `It sees ${said(first, before)}`;
  element("attack-result").textContent =
    first !== second || changed || !Number(element("epsilon").value)
      ? ""
      : "The attack found no image that fools it within this epsilon.";
  element("clean").ariaLabel = `Your image, seen as ${said(first, before)}`;
  element("attacked").ariaLabel = `Attacked image, seen as ${said(second, after)}`;
  element("clean-answer").textContent = said(first, before);
  element("attacked-answer").textContent = said(second, after);
}

function takeImage(image, source) {
  Object.assign(state, { image, source, awaited: false });
  show();
}

const paper = new Paper(element("paper"), () => {
  const { shape } = state.classifier;
  // As the digits of MNIST are (20 of 28 pixels), or those of 8 pixels (all).
  const canvas = paper.centred(shape[0] > 16 ? 20 / 28 : 1);
  if (canvas) takeImage(shrink(canvas, shape, DRAWN), "drawing");
});

function takeSample() {
  paper.put(element("sample"));
  takeImage(state.sample, "sample");
}

const fitsSample = () => state.sample && shapeOf(state.sample).join() === state.classifier?.shape.join();

function offerSample() {
  element("from-gallery").hidden = !fitsSample();
  if (state.awaited && fitsSample()) takeSample();
}

function makeNorms(chosen) {
  const norms = state.classifier.attacks[element("attack").value];
  element("norm").replaceChildren(...norms.map((norm) => new Option(norm)));
  if (norms.includes(chosen)) element("norm").value = chosen;
}

// A radius of one norm is none of another: a fifth of the largest is where most classifiers waver.
function makeEpsilon(value) {
  const most = state.classifier.radii[element("norm").value];
  Object.assign(element("epsilon"), { max: most, step: most / 50 });
  setSlider("epsilon", value ?? most / 5);
  element("epsilon-note").textContent = {
    linf: "No pixel moves by more than this.",
    l2: "The root of the sum of all squared changes is at most this.",
    l1: "The sum of all changes is at most this.",
  }[element("norm").value];
}

element("clear").addEventListener("click", () => {
  paper.clear();
  element("paper").focus();
});
onUpload(element("upload"), (picture) => {
  const { shape, reading } = state.classifier;
  const image = shrink(picture, shape, reading);
  paper.put(canvasOf(image));
  takeImage(image, "upload");
}, showError);
element("from-gallery").addEventListener("click", takeSample);
element("sample").addEventListener("sample", ({ detail }) => {
  state.sample = detail;
  offerSample();
});
element("attack").addEventListener("change", () => {
  const norm = element("norm").value;
  makeNorms(norm);
  if (element("norm").value !== norm) makeEpsilon();
  show();
});
element("norm").addEventListener("change", () => {
  makeEpsilon();
  show();
});
onSlide("epsilon", show);

export const about = () =>
  `Classifier ${state.classifier.name}, ${state.classifier.shape.join(" × ")}, ${names().length} classes`;

export const request = () => (state.image ? question() : null);

export const keep = () => ({
  attack: element("attack").value,
  norm: element("norm").value,
  epsilon: Number(element("epsilon").value),
  fooled: state.source === "sample" ? "sample" : null,
});

// Where the server has a classifier; `kept` is what a link says.
export function take(classifier, kept) {
  Object.assign(state, { classifier, awaited: kept.fooled === "sample" });
  element("tab-fool").hidden = false;
  const attacks = Object.keys(classifier.attacks);
  element("attack").replaceChildren(...attacks.map((name) => new Option(name)));
  element("attack").value = oneOf(kept, "attack", attacks, attacks[0]);
  const norms = classifier.attacks[element("attack").value];
  makeNorms(oneOf(kept, "norm", norms, norms[0]));
  makeEpsilon(numberOf(kept, "epsilon", null, { most: classifier.radii[element("norm").value] }));
  offerSample();
}
