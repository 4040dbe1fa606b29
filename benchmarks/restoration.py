"""Restoration by a squared distance alone, and with an adversary at several weights.

    python benchmarks/restoration.py --data digits --task inpaint --steps 600

Each arm trains the generator of `kgan train restore` from the same start for as many steps; the
held-out images are scored by `kgan evaluate`'s own measures. Prints a row for each arm, and the
trivial answers.
"""

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np

from kgan.recipes import PairedRecipe
from kgan.settings import PRESETS

# Distance, its weight, and that of the adversary.
ARMS = {
    "MSE only": ("mse", 1.0, 0.0),
    "MSE + 0.003 adversary": ("mse", 1.0, 0.003),
    "MSE + 0.01 adversary": ("mse", 1.0, 0.01),
    "MSE + 0.1 adversary": ("mse", 1.0, 0.1),
    "L1 + 0.01 adversary": ("l1", 1.0, 0.01),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--task", default="inpaint")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    trivial = None
    for name, (distance, weight, adversarial) in ARMS.items():
        settings = dataclasses.replace(
            PRESETS["restore"],
            data=options.data,
            task=options.task,
            seed=options.seed,
            generator_width=options.width,
            distance=distance,
            reconstruction_weight=weight,
            adversarial_weight=adversarial,
            epochs=1,
            steps_per_epoch=options.steps,
        )
        recipe = PairedRecipe(settings)
        data = recipe.data()
        model = recipe.model(data)
        start = time.process_time()
        model.fit(recipe.feed(data), steps_per_epoch=options.steps, shuffle=False, verbose=0)
        seconds = time.process_time() - start
        with tempfile.TemporaryDirectory() as folder:
            scores = recipe.own_scores(model, Path(folder))
        if trivial is None:
            trivial = {
                key: {one.name.partition("[")[0]: one.baselines[key] for one in scores}
                for key in scores[0].baselines
            }
            shown = [one.name.partition("[")[0] for one in scores]
            print("| arm | " + " | ".join(shown) + " | processor s |", flush=True)
            for key, values in trivial.items():
                print(f"| {key} | " + " | ".join(f"{values[one]:.4g}" for one in shown) + " | |")
        values = " | ".join(f"{one.value:.4g}" for one in scores)
        print(f"| {name} | {values} | {seconds:.0f} |", flush=True)
    floors = " | ".join(f"{np.round(one.floor, 4):.4g}" for one in scores)
    print(f"| the truth | {floors} | |")


if __name__ == "__main__":
    main()
