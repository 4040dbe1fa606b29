// The sample that is looked at, and what changes it: class, seed, truncation, latent sliders.

import { joined, numberOf, numbersOf, refuse } from "./address.js";
import { LARGEST_SEED, makeChoices, onSlide, press, randomSeed, setSlider, wholeOf } from "./fields.js";
import { chosen, classes, described, has, isEdited, kind, latentsOf, psi, requestOf, samples, scaled } from "./generator.js";
import { draw } from "./pictures.js";
import { call, element, endpointFor, latest, questionOf, save, verdict } from "./server.js";

// What else shows the chosen class or seed.
const others = { class: () => {}, seed: () => {} };
export const onChange = (what, act) => {
  others[what] = act;
};

// A generator with styles is truncated there, where the mean sample lies; others in their latents.
const decoding = () =>
  has("truncate")
    ? ["truncate", { latents: [chosen.latents], share: [psi()] }]
    : ["decode", { latents: [scaled()] }];

const asked = () =>
  has("latents", "decode")
    ? requestOf(...decoding(), [chosen.label])
    : requestOf("generate", { seeds: [chosen.seed] }, [chosen.label]);

export const show = latest(async () => {
  const { label, seed } = chosen;
  const more = `${isEdited() ? ", latents changed" : ""}${has("decode") && psi() !== 1 ? `, truncation ${psi().toFixed(2)}` : ""}`;
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
  questionOf(...(has("decode") && (isEdited() || psi() !== 1) ? asked() : requestOf("generate", { seeds: [chosen.seed] }, [chosen.label])));

const drawLatents = latest(async () => {
  if (has("latents", "decode")) {
    chosen.drawn = await latentsOf(chosen.seed);
    chosen.latents = [...chosen.drawn];
    setSliders();
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

function takeSeed() {
  const seed = wholeOf("seed");
  if (seed === null) return;
  chosen.seed = seed;
  drawLatents();
  others.seed();
}

function setSliders() {
  chosen.latents.forEach((value, index) => {
    const [, slider, output] = element("sliders").children[index].children;
    slider.value = value;
    output.textContent = value.toFixed(2);
  });
}

function makeSliders() {
  element("sliders").replaceChildren(...chosen.drawn.map((_, index) => {
    const label = document.createElement("label");
    label.innerHTML = `<span>z<sub>${index + 1}</sub></span>
      <input type="range" min="-3.5" max="3.5" step="0.01" id="z${index}"><output for="z${index}"></output>`;
    label.children[1].addEventListener("input", (event) => {
      chosen.latents[index] = Number(event.target.value);
      label.children[2].textContent = chosen.latents[index].toFixed(2);
      show();
    });
    return label;
  }));
  setSliders();
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
onSlide("psi", show);
element("reset").addEventListener("click", () => {
  chosen.latents = [...chosen.drawn];
  setSliders();
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
  z: isEdited() ? joined(chosen.latents) : null,
});

export async function take(model, kept) {
  Object.assign(chosen, { model, label: 0, drawn: [], latents: [] });
  if (classes().length)
    chosen.label = numberOf(kept, "class", 0, { most: classes().length - 1, whole: true });
  chosen.seed = numberOf(kept, "seed", chosen.seed, { most: LARGEST_SEED, whole: true });
  element("seed").value = chosen.seed;
  wholeOf("seed");
  setSlider("psi", numberOf(kept, "psi", 1, { most: 1.5 }));
  element("truncation").hidden = element("latents").hidden = !has("latents", "decode");
  for (const id of ["verdict", "caption"]) element(id).textContent = "";
  element("verdict").hidden = !has("score");
  makeClasses();
  if (has("latents")) {
    chosen.drawn = await latentsOf(chosen.seed);
    chosen.latents = [...chosen.drawn];
    const given = kept.z ? numbersOf(kept.z) : null;
    if (given?.length === chosen.drawn.length) {
      chosen.latents = given;
      element("latents").open = true;
    } else if (kept.z) refuse(`z must be ${chosen.drawn.length} numbers`);
  }
  makeSliders();
  show();
}
