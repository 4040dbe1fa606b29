// The generator: class, seed, latent sliders, truncation, interpolation, gallery.

import { ask, draw, element, latest, predict, showError } from "./server.js";

const PER_PAGE = 24;
const state = { model: null, label: 0, drawn: [], latents: [], ends: {}, image: null, count: PER_PAGE };

const labels = (n) => (state.model.num_classes ? { labels: Array(n).fill(state.label) } : {});
const scaled = () => state.latents.map((value) => value * Number(element("psi").value));
const seedOf = () => Math.trunc(Math.max(0, Number(element("seed").value) || 0));

const showSample = latest(async () => {
  const { name, signatures } = state.model;
  [state.image] = await predict(name, "decode", { latents: [scaled()], ...labels(1) });
  draw(element("sample"), state.image);
  element("sample").dispatchEvent(new CustomEvent("sample", { detail: state.image }));
  if (!signatures.includes("score")) return;
  const judged = await predict(name, "score", {
    [Array.isArray(state.image[0]) ? "images" : "points"]: [state.image], ...labels(1),
  });
  element("verdict").textContent =
    `The discriminator takes it for real with probability ${judged.probabilities[0].toFixed(2)}.`;
});

const showBetween = latest(async () => {
  const { start, end } = state.ends;
  const share = Number(element("share").value);
  const images = await predict(state.model.name, "interpolate", {
    start: [start, start, start], end: [end, end, end], share: [0, share, 1], ...labels(3),
  });
  ["start", "between", "end"].forEach((id, index) => draw(element(id), images[index]));
});

const showGrid = latest(async () => {
  const first = seedOf();
  const seeds = Array.from({ length: state.count }, (_, index) => first + index);
  const images = await predict(state.model.name, "generate", { seeds, ...labels(seeds.length) });
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
    draw(canvas, image);
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
  [state.drawn] = await predict(state.model.name, "latents", { seeds: [seedOf()] });
  state.latents = [...state.drawn];
  setSliders();
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
  element("sliders").replaceChildren(...Array.from({ length: state.model.latent_dim }, (_, index) => {
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
  const { num_classes, class_names } = state.model;
  element("classes").hidden = !num_classes;
  element("class-buttons").replaceChildren(...Array.from({ length: num_classes || 0 }, (_, label) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = class_names?.[label] ?? label;
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

async function takeModel(model) {
  Object.assign(state, { model, label: 0, count: PER_PAGE });
  element("about").textContent =
    `${model.name} version ${model.version}, ${(model.sample_shape ?? []).join(" × ")}` +
    (model.data ? `, trained on ${model.data}` : "");
  makeSliders();
  makeClasses();
  await takeSeed();
  const [other] = await predict(model.name, "latents", { seeds: [seedOf() + 1] });
  state.ends = { start: [...state.drawn], end: other };
  showBetween();
  showGrid();
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
  const link = document.createElement("a");
  link.download = `${state.model.name}-${seedOf()}.png`;
  link.href = large.toDataURL("image/png");
  link.click();
});

try {
  const { models } = await ask("kgan/models");
  // Others have none of the signatures that the page asks for.
  const playable = models.filter((model) => model.latent_dim && model.signatures.includes("latents"));
  if (!playable.length) throw new Error("None of the served models was exported by this version of kgan.");
  element("model-row").hidden = playable.length < 2;
  element("model").replaceChildren(...playable.map((model) => new Option(model.name)));
  element("model").addEventListener("change", (event) =>
    takeModel(playable[event.target.selectedIndex]).catch(showError));
  await takeModel(playable[0]);
} catch (error) {
  showError(error);
}
