// The generator that is looked at, and which of its samples: a class, a seed and what was done to its latents.

import { call, classNames, element, endpointFor, samplesOf } from "./server.js";

export const chosen = { model: null, label: 0, seed: 0, drawn: [], latents: [], moves: [] };

export const has = (...roles) => roles.every((role) => endpointFor(chosen.model, role));
export const kind = () => chosen.model.kind.kind;
export const psi = () => Number(element("psi").value);
// How many layers take a style, and how many of the first ones are truncated.
export const layers = () => Object.values(endpointFor(chosen.model, "style").outputs)[0].shape[1];
export const cuts = () => has("style") && "cutoff" in (endpointFor(chosen.model, "truncate")?.inputs ?? {});
export const cutoff = () => Number(element("cutoff").value);
export const scaled = () => chosen.latents.map((value) => value * psi());
export const isEdited = () => chosen.latents.some((value, index) => value !== chosen.drawn[index]);
export const isMoved = () => chosen.moves.some((value) => value !== 0);

// What its classes are called; empty where it has none to choose.
export const classes = () =>
  "labels" in endpointFor(chosen.model, "generate").inputs ? classNames(chosen.model) : [];

export const nameOf = (label) => classes()[label] ?? "";

export const described = (label, seed, more = "") =>
  `${classes().length ? `class ${nameOf(label)}, ` : ""}seed ${seed}${more}`;

// Asks an endpoint that is for `role` for a sample of each label; what it does not take is left out.
export function requestOf(role, inputs, labels) {
  const every = { ...inputs, cutoff: labels.map(cutoff), labels };
  return [chosen.model, endpointFor(chosen.model, role), every];
}

export async function samples(role, inputs, labels) {
  return samplesOf(chosen.model, await call(...requestOf(role, inputs, labels)));
}

export async function latentsOfAll(seeds) {
  const outputs = await call(chosen.model, endpointFor(chosen.model, "latents"), { seeds });
  return Object.values(outputs)[0];
}

export const latentsOf = async (seed) => (await latentsOfAll([seed]))[0];
