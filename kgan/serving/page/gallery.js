// A generator of images or points: class, seed, latent sliders, truncation, interpolation, gallery.

import { draw } from "./pictures.js";
import { call, classNames, element, endpointFor, latest, samplesOf, save, verdict } from "./server.js";

const PER_PAGE = 24;
const state = { model: null, label: 0, drawn: [], latents: [], ends: {}, image: null, count: PER_PAGE };

const kind = () => state.model.kind.kind;
const labels = (n) => Array(n).fill(state.label);
const scaled = () => state.latents.map((value) => value * Number(element("psi").value));
const seedOf = () => Math.trunc(Math.max(0, Number(element("seed").value) || 0));
const has = (...roles) => roles.every((role) => endpointFor(state.model, role));

// Samples of an endpoint that is for `role`.
async function samples(role, inputs, n) {
  const outputs = await call(state.model, endpointFor(state.model, role), { ...inputs, labels: labels(n) });
  return samplesOf(state.model, outputs);
}

const latentsOf = async (seed) =>
  Object.values(await call(state.model, endpointFor(state.model, "latents"), { seeds: [seed] }))[0];

// A generator with styles is truncated there, where the mean sample lies; others in their latents.
const decoded = () => has("truncate")
  ? samples("truncate", { latents: [state.latents], share: [Number(element("psi").value)] }, 1)
  : samples("decode", { latents: [scaled()] }, 1);

const showSample = latest(async () => {
  [state.image] = has("latents", "decode")
    ? await decoded()
    : await samples("generate", { seeds: [seedOf()] }, 1);
  draw(element("sample"), state.image, kind());
  tell(kind() === "images" ? state.image : null);
  if (!has("score")) return;
  const inputs = { [state.model.samples]: [state.image], labels: labels(1) };
  const said = await call(state.model, endpointFor(state.model, "score"), inputs);
  element("verdict").textContent = verdict(state.model, said);
});

// The other tabs may take the sample.
const tell = (image) => element("sample").dispatchEvent(new CustomEvent("sample", { detail: image }));

const showBetween = latest(async () => {
  if (!has("latents", "interpolate")) return;
  const { start, end } = state.ends;
  const share = Number(element("share").value);
  const inputs = { start: [start, start, start], end: [end, end, end], share: [0, share, 1] };
  const images = await samples("interpolate", inputs, 3);
  ["start", "between", "end"].forEach((id, index) => draw(element(id), images[index], kind()));
});

const showGrid = latest(async () => {
  const first = seedOf();
  const seeds = Array.from({ length: state.count }, (_, index) => first + index);
  const images = await samples("generate", { seeds }, seeds.length);
  const focused = document.activeElement?.dataset?.seed;
  element("grid").replaceChildren(...images.map((image, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.role = "option";
    button.dataset.seed = seeds[index];
    button.tabIndex = index ? -1 : 0;
    button.ariaSelected = index === 0;
    button.ariaLabel = `Seed ${seeds[index]}`;
    const canvas = document.createElement("canvas");
    draw(canvas, image, kind());
    button.append(canvas);
    button.addEventListener("click", () => choose(button));
    return button;
  }));
  if (focused) element("grid").querySelector(`[data-seed="${focused}"]`)?.focus();
});

// A sample of the gallery becomes the one that is looked at; the gallery stays.
function choose(button) {
  for (const other of element("grid").children) {
    other.ariaSelected = other === button;
    other.tabIndex = other === button ? 0 : -1;
  }
  button.focus();
  element("seed").value = button.dataset.seed;
  takeSeed();
}

element("grid").addEventListener("keydown", (event) => {
  const cells = [...element("grid").children];
  const columns = cells.filter((cell) => cell.offsetTop === cells[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  const target = cells[cells.indexOf(document.activeElement) + step];
  if (step === undefined || !target) return;
  event.preventDefault();
  choose(target);
});

const takeSeed = latest(async () => {
  if (has("latents", "decode")) {
    [state.drawn] = await latentsOf(seedOf());
    state.latents = [...state.drawn];
    setSliders();
  }
  showSample();
});

function setSliders() {
  state.latents.forEach((value, index) => {
    const [, slider, output] = element("sliders").children[index].children;
    slider.value = value;
    output.textContent = value.toFixed(2);
  });
}

function makeSliders() {
  element("sliders").replaceChildren(...Array.from({ length: state.drawn.length }, (_, index) => {
    const label = document.createElement("label");
    label.innerHTML = `<span>z<sub>${index + 1}</sub></span>
      <input type="range" min="-3.5" max="3.5" step="0.01" id="z${index}"><output for="z${index}"></output>`;
    label.children[1].addEventListener("input", (event) => {
      state.latents[index] = Number(event.target.value);
      label.children[2].textContent = state.latents[index].toFixed(2);
      showSample();
    });
    return label;
  }));
}

function makeClasses() {
  const takes = "labels" in endpointFor(state.model, "generate").inputs;
  element("classes").hidden = !takes;
  element("class-buttons").replaceChildren(...(takes ? classNames(state.model) : []).map((name, label) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.ariaPressed = label === state.label;
    button.addEventListener("click", () => {
      state.label = label;
      for (const other of element("class-buttons").children) other.ariaPressed = other === button;
      showAll();
    });
    return button;
  }));
}

function showAll() {
  showSample();
  showBetween();
  showGrid();
}

export const fits = (model) =>
  ["images", "points"].includes(model.kind?.kind) && Boolean(endpointFor(model, "generate"));

export async function take(model) {
  Object.assign(state, { model, label: 0, count: PER_PAGE, drawn: [], latents: [] });
  element("truncation").hidden = element("latents").hidden = !has("latents", "decode");
  element("interpolation").hidden = !has("latents", "interpolate");
  for (const end of ["start", "end"]) element(`use-${end}`).hidden = !has("latents", "decode", "interpolate");
  element("verdict").textContent = "";
  makeClasses();
  if (has("latents")) {
    const [[drawn], [other]] = [await latentsOf(seedOf()), await latentsOf(seedOf() + 1)];
    Object.assign(state, { drawn, latents: [...drawn], ends: { start: [...drawn], end: other } });
  }
  makeSliders();
  setSliders();
  showAll();
}

element("seed").addEventListener("input", () => { takeSeed(); showGrid(); });
element("dice").addEventListener("click", () => {
  element("seed").value = Math.floor(Math.random() * 1e6);
  takeSeed();
  showGrid();
});
element("psi").addEventListener("input", (event) => {
  element("psi-value").textContent = Number(event.target.value).toFixed(2);
  showSample();
});
element("share").addEventListener("input", (event) => {
  element("share-value").textContent = Number(event.target.value).toFixed(2);
  showBetween();
});
element("reset").addEventListener("click", () => {
  state.latents = [...state.drawn];
  setSliders();
  showSample();
});
for (const end of ["start", "end"]) {
  element(`use-${end}`).addEventListener("click", () => {
    state.ends[end] = scaled();
    showBetween();
  });
}
element("more").addEventListener("click", () => {
  state.count += PER_PAGE;
  showGrid();
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
  save(`${state.model.name}-${seedOf()}.png`, large.toDataURL("image/png"));
});
