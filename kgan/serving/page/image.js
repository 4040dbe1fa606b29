// An image of the user's, or a generated one: what the model makes of it, and what it says of it.

import { numberOf, oneOf } from "./address.js";
import { percent, showBars } from "./bars.js";
import { makeChoices, onSlide, setSlider } from "./fields.js";
import { canvasOf, draw, hasOpacity, onUpload, shapeOf, shrink, sizeOf } from "./pictures.js";
import { call, classNames, element, endpointFor, latest, questionOf, samplesOf, showError, verdict } from "./server.js";

// Roles with an image before and one after, and what else their endpoints may take.
const CHANGES = ["translate", "reconstruct", "encode", "project", "perturb"];
const ANSWERS = ["classify", "score"];
const FURTHER = ["labels", "targets", "epsilon", "steps"];

// A picture or canvas, an array where it is a sample; the sample that is offered, and whether a link
// asks for it; the endpoint whose change is shown, and the sample that is nearest to the source.
const state = { model: null, source: null, sample: null, awaited: false, change: null, nearest: null };

const inputOf = (endpoint) => Object.keys(endpoint.inputs).find((name) => !FURTHER.includes(name));

// The longest side of a picture that is sent in its own size: its values go as text.
const MOST = 256;

// Height, width and channels that an endpoint takes. Where it takes any size, the picture's own;
// where it leaves sizes free without saying so, those of the samples that it knows.
function sizes(endpoint) {
  const { height, width, channels } = endpoint.takes ?? state.model.kind;
  const [, ...given] = endpoint.inputs[inputOf(endpoint)].shape;
  const own = endpoint.least_side ? ownSize(state.source, endpoint.least_side) : [height, width];
  return [...own, channels].map((size, index) => given[index] ?? size);
}

function ownSize(source, least) {
  if (Array.isArray(source)) return shapeOf(source).slice(0, 2);
  const own = sizeOf(source);
  const scale = Math.max(Math.min(1, MOST / Math.max(...own)), least / Math.min(...own));
  return own.map((side) => Math.max(least, Math.round(side * scale)));
}

const usable = (model, roles) =>
  model.endpoints.filter(
    (one) =>
      roles.includes(one.role) &&
      Object.keys(one.inputs).filter((name) => !FURTHER.includes(name)).length === 1 &&
      // Which classes there are must be known.
      (model.num_classes || !("labels" in one.inputs || "targets" in one.inputs)),
  );

// The image as an endpoint takes it, and what it is asked.
function asked(endpoint) {
  const shape = sizes(endpoint);
  const { model, source } = state;
  const fits = Array.isArray(source) && shapeOf(source).join() === shape.join();
  // Without saying what it takes an endpoint takes what the model makes.
  const opacity = endpoint.takes && hasOpacity(endpoint.takes);
  const image = fits ? source : shrink(canvasOf(source), shape, model.reading, opacity ?? undefined);
  const label = Number(element("image-class").value);
  const inputs = {
    [inputOf(endpoint)]: [image],
    labels: [label],
    targets: [label],
    epsilon: [Number(element("image-epsilon").value)],
    steps: [Number(element("image-steps").value)],
  };
  return { image, question: [model, endpoint, inputs] };
}

async function answered(endpoint) {
  const { image, question } = asked(endpoint);
  return { image, outputs: await call(...question) };
}

const show = latest(async () => {
  const { model, change, source } = state;
  if (!source) return;
  for (const endpoint of usable(model, ANSWERS)) {
    // Another model may have been chosen meanwhile.
    if (model !== state.model) return;
    const { image, outputs } = await answered(endpoint);
    draw(element("before"), image);
    if (endpoint.role === "classify") showClasses(outputs.probabilities[0]);
    else element("image-score").textContent = verdict(model, outputs);
  }
  if (change && model === state.model) await showChange(change);
});

async function showChange(endpoint) {
  const { image, outputs } = await answered(endpoint);
  draw(element("before"), image);
  element("code").textContent = "";
  takeNearest(null);
  let after = samplesOf(state.model, outputs);
  if (endpoint.role === "encode") {
    const latents = outputs.latents ?? Object.values(outputs)[0];
    element("code").textContent = `latents: ${latents[0].flat(9).map((value) => value.toFixed(2)).join(", ")}`;
    const decode = endpointFor(state.model, "decode");
    after = decode
      ? samplesOf(state.model, await call(state.model, decode, { latents, labels: [Number(element("image-class").value)] }))
      : null;
  }
  if (endpoint.role === "project") {
    takeNearest({ label: Number(element("image-class").value), latents: outputs.latents[0] });
    element("code").textContent = errorOf(outputs.errors[0]);
  }
  element("after-figure").hidden = !after;
  element("after").ariaLabel = `After: ${nameOf(endpoint)}`;
  if (after) draw(element("after"), after[0]);
  showWipe();
}

// What the sliders of the other tab may start from.
function takeNearest(nearest) {
  state.nearest = nearest;
  element("take-nearest").hidden = !nearest;
}

const errorOf = (error) =>
  `mean squared error ${error.toFixed(4)}, PSNR ${(-10 * Math.log10(Math.max(error, 1e-12))).toFixed(1)} dB`;

// A translation lies over what it is made of, up to where the slider is.
function showWipe() {
  const translated = state.change?.role === "translate";
  element("wipe-row").hidden = !translated;
  element("wipe").hidden = element("apart").checked;
  element("pair").classList.toggle("wiped", translated && !element("apart").checked);
  element("pair").style.setProperty("--wipe", `${element("wipe").value}%`);
}

const nameOf = (endpoint) => endpoint.name.replaceAll("_", " ");

function showClasses(probabilities) {
  const names = probabilities.map((_, label) => state.model.class_names?.[label] ?? String(label));
  showBars(element("image-bars"), names, probabilities);
  const best = probabilities.indexOf(Math.max(...probabilities));
  element("image-answer").textContent = `It sees ${names[best]} (${percent(probabilities[best])})`;
}

function makeChanges(kept) {
  const changes = usable(state.model, CHANGES);
  const names = changes.map((endpoint) => endpoint.name);
  state.change = changes[Math.max(0, names.indexOf(oneOf(kept, "change", names, names[0])))] ?? null;
  element("after-panel").hidden = !changes.length && !usable(state.model, ANSWERS).length;
  element("after-title").textContent = changes.length ? "Before and after" : "What the model takes";
  element("after-figure").hidden = !changes.length;
  showWipe();
  makeChoices(element("changes"), changes.map(nameOf), changes.indexOf(state.change), (index) => {
    state.change = changes[index];
    show();
  });
}

function makeSettings(kept) {
  const takes = (name) => usable(state.model, [...CHANGES, ...ANSWERS]).some((one) => name in one.inputs);
  const names = takes("labels") || takes("targets") ? classNames(state.model) : [];
  element("image-class-row").hidden = !names.length;
  element("image-class").replaceChildren(...names.map((name, label) => new Option(name, label)));
  if (names.length)
    element("image-class").value = numberOf(kept, "as", 0, { most: names.length - 1, whole: true });
  element("image-epsilon-row").hidden = !takes("epsilon");
  const most = state.model.epsilon ?? 0.5;
  Object.assign(element("image-epsilon"), { max: most, step: most / 50 });
  setSlider("image-epsilon", numberOf(kept, "radius", most, { most }));
  element("image-steps-row").hidden = !takes("steps");
  const { max, defaultValue } = element("image-steps");
  setSlider("image-steps", numberOf(kept, "steps", defaultValue, { most: Number(max), whole: true }));
}

function takeSource(source) {
  Object.assign(state, { source, awaited: false });
  show();
}

onUpload(element("image-upload"), takeSource, showError);
element("take-sample").addEventListener("click", () => takeSource(state.sample));
element("sample").addEventListener("sample", ({ detail }) => {
  state.sample = detail;
  element("take-sample").hidden = !detail;
  if (state.awaited && detail) takeSource(detail);
});
element("image-class").addEventListener("change", show);
onSlide("image-epsilon", show);
onSlide("image-steps", show);
element("take-nearest").addEventListener("click", () => {
  element("after").dispatchEvent(new CustomEvent("nearest", { detail: state.nearest }));
  element("tab-gallery").click();
});
for (const id of ["wipe", "apart"]) element(id).addEventListener("input", showWipe);

export const fits = (model) =>
  model.kind?.kind === "images" && usable(model, [...CHANGES, ...ANSWERS]).length > 0;

// The change that is shown, or the first answer.
export function request() {
  const endpoint = state.change ?? usable(state.model, ANSWERS)[0];
  return state.source && endpoint ? questionOf(...asked(endpoint).question) : null;
}

export const keep = () => ({
  change: state.change?.name ?? null,
  as: element("image-class").options.length ? Number(element("image-class").value) : null,
  radius: element("image-epsilon-row").hidden ? null : Number(element("image-epsilon").value),
  steps: element("image-steps-row").hidden ? null : Number(element("image-steps").value),
  image: state.source && state.source === state.sample ? "sample" : null,
});

export async function take(model, kept) {
  // The sample comes anew from the gallery, if this model has one.
  Object.assign(state, { model, source: null, sample: null, awaited: kept.image === "sample" });
  takeNearest(null);
  for (const id of ["before", "after"]) element(id).width = element(id).width;
  for (const id of ["code", "image-score"]) element(id).textContent = "";
  element("image-bars").tBodies[0].replaceChildren();
  makeChanges(kept);
  makeSettings(kept);
  element("answers").hidden = !usable(model, ANSWERS).length;
  element("image-answer").textContent = "What it says";
  element("image-bars").hidden = !usable(model, ["classify"]).length;
  element("take-sample").hidden = true;
}
