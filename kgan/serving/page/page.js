// The page: which model is looked at, a tab for each thing that it can be asked, and how to keep what is seen.

import * as address from "./address.js";
import * as fool from "./fool.js";
import * as gallery from "./gallery.js";
import * as image from "./image.js";
import { showChannelsOf } from "./pictures.js";
import { ask, element, showError } from "./server.js";
import { copy, curlOf, pythonOf } from "./snippets.js";
import * as table from "./table.js";
import "./theme.js";

// By the tab's element; each tells whether a model fits it, and takes one that does.
const PANELS = { gallery, table, image };
const tabs = [...document.querySelectorAll('[role="tab"]')];
const served = { models: [], classifier: null, model: null };

const opened = () => tabs.find((tab) => tab.ariaSelected === "true").getAttribute("aria-controls");

function open(name) {
  for (const tab of tabs) {
    const own = tab.getAttribute("aria-controls");
    tab.ariaSelected = own === name;
    tab.tabIndex = own === name ? 0 : -1;
    element(own).hidden = own !== name;
  }
  element("about").textContent = name === "fool" ? fool.about() : about(served.model);
}

function about(model) {
  if (!model) return "";
  const size = model.sample_shape ? `, ${model.sample_shape.join(" × ")}` : "";
  return `${model.name} version ${model.version}${size}${model.data ? `, trained on ${model.data}` : ""}`;
}

for (const tab of tabs) {
  tab.addEventListener("click", () => open(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    const shown = tabs.filter((one) => !one.hidden);
    const at = shown.indexOf(tab);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const other = shown.at(to % shown.length);
    open(other.getAttribute("aria-controls"));
    other.focus();
  });
}

const fitting = (model) => Object.entries(PANELS).filter(([, panel]) => panel.fits(model));

async function takeModel(model, kept = {}) {
  served.model = model;
  showChannelsOf(model.kind);
  const panels = fitting(model);
  for (const name of Object.keys(PANELS)) element(`tab-${name}`).hidden = !panels.some(([one]) => one === name);
  open(element(`tab-${opened()}`).hidden ? panels[0][0] : opened());
  // What takes a generated image first lets go of the one of the model before.
  for (const [, panel] of [...panels].reverse()) await panel.take(model, kept);
}

// All that a link restores.
const keep = () => ({
  tab: opened(),
  model: served.model?.name,
  ...Object.assign({}, ...(served.model ? fitting(served.model) : []).map(([, panel]) => panel.keep())),
  ...(served.classifier ? fool.keep() : {}),
});

async function restore() {
  const kept = address.read();
  const names = served.models.map((model) => model.name);
  if (served.classifier) fool.take(served.classifier, kept);
  if (!names.length) for (const name of Object.keys(PANELS)) element(`tab-${name}`).hidden = true;
  else {
    const name = address.oneOf(kept, "model", names, served.model?.name ?? names[0]);
    element("model").value = name;
    await takeModel(served.models[names.indexOf(name)], kept);
  }
  const shown = tabs.filter((tab) => !tab.hidden).map((tab) => tab.getAttribute("aria-controls"));
  if (kept.tab || !names.length) open(address.oneOf(kept, "tab", shown, shown.includes(opened()) ? opened() : shown[0]));
  address.tellRefused();
}

// Browsers refuse an address that changes many times a second.
let timer = null;
function remember() {
  clearTimeout(timer);
  timer = setTimeout(() => address.write(keep()), 250);
}

function copyRequest(write, what) {
  const panel = { ...PANELS, fool }[opened()];
  try {
    const request = panel.request();
    if (!request) throw new Error("There is nothing to copy yet: choose an image first.");
    copy(write(request), what);
  } catch (error) {
    element("copied").textContent = error.message;
  }
}

element("copy-curl").addEventListener("click", () => copyRequest(curlOf, "a curl command"));
element("copy-python").addEventListener("click", () => copyRequest(pythonOf, "a Python program"));
element("copy-link").addEventListener("click", () => {
  address.write(keep());
  copy(location.href, "a link to what is seen");
});

try {
  const { models, classifier } = await ask("kgan/models");
  Object.assign(served, { models: models.filter((model) => fitting(model).length), classifier });
  if (!served.models.length && !classifier)
    throw new Error("None of the served models was exported by this version of kgan.");
  element("model-row").hidden = served.models.length < 2;
  element("model").replaceChildren(...served.models.map((model) => new Option(model.name)));
  await restore();
  element("model").addEventListener("change", (event) =>
    takeModel(served.models[event.target.selectedIndex]).catch(showError));
  for (const name of ["input", "change", "click", "keyup", "pointerup"]) document.addEventListener(name, remember);
  window.addEventListener("hashchange", () => restore().catch(showError));
} catch (error) {
  showError(error);
}
