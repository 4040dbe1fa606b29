// The link that restores what is seen: names and values behind the "#" of the address.

import { element } from "./server.js";

// What a link asks for and cannot have.
let refused = [];

export const read = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

export function write(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  history.replaceState(null, "", `#${new URLSearchParams(given)}`);
}

export function refuse(why) {
  refused.push(why);
}

// A number of a link, or `otherwise` where it names none or one that cannot be.
export function numberOf(kept, name, otherwise, { least = 0, most = Infinity, whole = false } = {}) {
  if (!(name in kept)) return otherwise;
  const value = kept[name].trim() === "" ? NaN : Number(kept[name]);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  refuse(`${name} must be ${whole ? "a whole number" : "a number"} from ${least} to ${most}, it is "${kept[name]}"`);
  return otherwise;
}

// One of several words.
export function oneOf(kept, name, words, otherwise) {
  if (!(name in kept) || words.includes(kept[name])) return kept[name] ?? otherwise;
  refuse(`${name} must be one of ${words.join(", ")}, it is "${kept[name]}"`);
  return otherwise;
}

// Numbers as one value, without characters that an address must escape.
export const joined = (numbers) => numbers.map((value) => String(Number(value.toFixed(4)))).join("_");

export function numbersOf(text) {
  const numbers = text.split("_").map((part) => (part.trim() === "" ? NaN : Number(part)));
  return numbers.every(Number.isFinite) ? numbers : null;
}

export function tellRefused() {
  element("notice").hidden = !refused.length;
  element("notice").textContent = refused.length ? `Not all of the link could be used: ${refused.join("; ")}.` : "";
  refused = [];
}
