// The page: which model is looked at, and a tab for each thing that it can be asked.

import * as fool from "./fool.js";
import * as gallery from "./gallery.js";
import * as image from "./image.js";
import { showChannelsOf } from "./pictures.js";
import { ask, element, showError } from "./server.js";
import * as table from "./table.js";

// By the tab's element; each tells whether a model fits it, and takes one that does.
const PANELS = { gallery, table, image };
const tabs = [...document.querySelectorAll('[role="tab"]')];

function open(tab) {
  for (const other of tabs) {
    other.ariaSelected = other === tab;
    other.tabIndex = other === tab ? 0 : -1;
    element(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
}

for (const tab of tabs) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const shown = tabs.filter((one) => !one.hidden);
    if (!step || shown.length < 2) return;
    const other = shown[(shown.indexOf(tab) + step + shown.length) % shown.length];
    open(other);
    other.focus();
  });
}

const fitting = (model) => Object.entries(PANELS).filter(([, panel]) => panel.fits(model));

async function takeModel(model) {
  showChannelsOf(model.kind);
  element("about").textContent =
    `${model.name} version ${model.version}` +
    (model.sample_shape ? `, ${model.sample_shape.join(" × ")}` : "") +
    (model.data ? `, trained on ${model.data}` : "");
  const panels = fitting(model);
  for (const name of Object.keys(PANELS)) element(`tab-${name}`).hidden = !panels.some(([one]) => one === name);
  if (!tabs.some((tab) => tab.ariaSelected === "true" && !tab.hidden)) open(element(`tab-${panels[0][0]}`));
  // What takes a generated image first lets go of the one of the model before.
  for (const [, panel] of [...panels].reverse()) await panel.take(model);
}

try {
  const { models, classifier } = await ask("kgan/models");
  const shown = models.filter((model) => fitting(model).length);
  if (!shown.length && !classifier)
    throw new Error("None of the served models was exported by this version of kgan.");
  element("model-row").hidden = shown.length < 2;
  element("model").replaceChildren(...shown.map((model) => new Option(model.name)));
  element("model").addEventListener("change", (event) =>
    takeModel(shown[event.target.selectedIndex]).catch(showError));
  if (classifier) fool.take(classifier);
  if (shown.length) await takeModel(shown[0]);
  else open(element("tab-fool"));
} catch (error) {
  showError(error);
}
