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
export function setSlider(id, value) {
  element(id).value = value;
  element(`${id}-value`).textContent = Number(value).toFixed(2);
}

export function onSlide(id, act) {
  element(id).addEventListener("input", (event) => {
    element(`${id}-value`).textContent = Number(event.target.value).toFixed(2);
    act();
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
