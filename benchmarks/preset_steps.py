"""Time of a training step of image presets at 28 pixels and equal batches, in alternating rounds.

TF_NUM_INTRAOP_THREADS=1 python benchmarks/preset_steps.py mnist stylegan2 r3gan
"""

import dataclasses
import sys
import time

import numpy as np
import tensorflow as tf

import kgan.data
from kgan.recipes import GANRecipe
from kgan.settings import PRESETS

BATCH, ROUNDS, STEPS = 32, 3, 16


def main(names: list[str]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (256, 28, 28, 1), dtype=np.uint8)
    classes = (np.arange(len(pixels)) % 10).astype(np.int32)
    data = kgan.data.Dataset("noise", pixels, classes, tuple("0123456789"))
    steps, times = {}, {name: [] for name in names}
    for name in names:
        recipe = GANRecipe(dataclasses.replace(PRESETS[name], batch_size=BATCH))
        recipe.settle(data)
        model, batch = recipe.model(data), next(iter(recipe.feed(data)))
        steps[name] = tf.function(model.train_step), batch
        start = time.perf_counter()
        steps[name][0](batch)
        print(f"{name}: first step {time.perf_counter() - start:.1f} s")
    for _ in range(ROUNDS):
        for name, (step, batch) in steps.items():
            start = time.perf_counter()
            for _ in range(STEPS):
                step(batch)
            times[name].append((time.perf_counter() - start) / STEPS)
    for name, taken in times.items():
        median = float(np.median(taken))
        print(f"{name}: {1000 * median:.1f} ms a step, {BATCH / median:.0f} images/s")


if __name__ == "__main__":
    main(sys.argv[1:])
