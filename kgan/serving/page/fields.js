// Fields for numbers: what may be typed, and a message beside the field where it may not.

import { element } from "./server.js";

export const LARGEST_SEED = 2 ** 31 - 1;

// The number in a field, or null and a message where it holds none that its `min` and `max` allow.
export function wholeOf(id) {
  const field = element(id);
  const [least, most] = [Number(field.min), field.max ? Number(field.max) : Infinity];
  // A browser gives no text where it is no number at all.
  const value = field.value.trim() === "" ? NaN : Number(field.value);
  const good = Number.isInteger(value) && value >= least && value <= most;
  const problem = element(`${id}-problem`);
  field.setAttribute("aria-invalid", String(!good));
  const text = good ? "" : `${field.dataset.name} must be a whole number from ${least}${field.max ? ` to ${most}` : " on"}.`;
  // The same words again would be read aloud again.
  if (problem.textContent !== text) problem.textContent = text;
  problem.hidden = good;
  return good ? value : null;
}

export const randomSeed = () => Math.floor(Math.random() * 1e6);

// A slider with its value beside it.
const written = (slider) => Number(slider.value).toFixed(slider.step === "1" ? 0 : 2);

export function setSlider(id, value) {
  element(id).value = value;
  element(`${id}-value`).textContent = written(element(id));
}

export function onSlide(id, act) {
  element(id).addEventListener("input", ({ target }) => {
    element(`${id}-value`).textContent = written(target);
    act();
  });
}

// A slider for each of several numbers, called by a letter and the number's place from 1 on.
export function makeSliders(list, letter, reach, values, act) {
  list.replaceChildren(...values.map((_, index) => {
    const label = document.createElement("label");
    label.innerHTML = `<span>${letter}<sub>${index + 1}</sub></span>
      <input type="range" min="-${reach}" max="${reach}" step="0.01" id="${letter}${index}"><output for="${letter}${index}"></output>`;
    label.children[1].addEventListener("input", ({ target }) => {
      label.children[2].textContent = written(target);
      act(index, Number(target.value));
    });
    return label;
  }));
  setSliders(list, values);
}

export function setSliders(list, values) {
  values.forEach((value, index) => {
    const [, slider, output] = list.children[index].children;
    slider.value = value;
    output.textContent = value.toFixed(2);
  });
}

// One of several buttons is pressed.
export function makeChoices(list, names, chosen, act) {
  list.replaceChildren(...names.map((name, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.ariaPressed = index === chosen;
    button.addEventListener("click", () => {
      press(list, index);
      act(index);
    });
    return button;
  }));
}

export function press(list, index) {
  [...list.children].forEach((button, other) => {
    button.ariaPressed = other === index;
  });
}
