// The panel of a generator of images or points: a sample, in every class, the way to another, mixed ones, many at once.

import * as between from "./between.js";
import * as every from "./every.js";
import * as grid from "./grid.js";
import * as mixing from "./mixing.js";
import * as sample from "./sample.js";
import { endpointFor } from "./server.js";

export const fits = (model) =>
  ["images", "points"].includes(model.kind?.kind) && Boolean(endpointFor(model, "generate"));

export const { request } = sample;

export const keep = () => ({ ...sample.keep(), ...between.keep(), ...mixing.keep(), ...grid.keep() });

export async function take(model, kept) {
  await sample.take(model, kept);
  every.take();
  grid.take(kept);
  mixing.take(kept);
  await between.take(kept);
}

sample.onChange("class", () => {
  grid.takeClass();
  mixing.show();
});
sample.onChange("seed", () => {
  grid.takeSeed();
  mixing.show();
});
