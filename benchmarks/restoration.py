"""Restoration by a squared distance alone, and with an adversary at several weights.

    python benchmarks/restoration.py --data digits --task inpaint --steps 600
    python benchmarks/restoration.py --data cifar10 --task colourise --factor 1 --steps 600

Each arm trains the generator of `kgan train restore` from the same start for as many steps; the
held-out images are scored by `kgan evaluate`'s own measures. For images without a shipped extractor
a LeNet learns their classes first: its accuracy, FID and the distance of its features are scores.
Prints a row for each arm, and the trivial answers.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import keras
import numpy as np

import kgan.evaluation
import kgan.pictures
from kgan.data import Dataset
from kgan.metrics.extractor import extractor
from kgan.metrics.feature_extractor import Extractor
from kgan.metrics.frechet import frechet_distance
from kgan.networks.classifiers import lenet
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

_SEEN = 100_000


def judge_of(train: Dataset, path: Path | None) -> Extractor:
    """The shipped extractor, or a LeNet that learnt the classes, kept in a file."""
    name = kgan.evaluation.default_extractor(train)
    if name is not None:
        return extractor(name)
    if path is not None and path.is_file():
        return Extractor(keras.models.load_model(path), name="lenet")
    keras.utils.set_random_seed(0)
    model = lenet(train.sample_shape, len(train.class_names or ()), width=24)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    rows = np.random.default_rng(0).permutation(len(train))[:20_000]
    some = train.take(np.sort(rows))
    epochs = -(-_SEEN // len(some))
    model.fit(some.as_float(), some.labels, batch_size=64, epochs=epochs, verbose=0)
    if path is not None:
        model.save(path)
    return Extractor(model, name="lenet")


def fid(judge: Extractor, real: np.ndarray, images: np.ndarray) -> str:
    return f"{frechet_distance(real, judge.features(images)):.4g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--task", default="inpaint")
    parser.add_argument("--mask", help="of inpaint: centre or random")
    parser.add_argument("--factor", type=int, default=None)
    parser.add_argument("--image-size", type=int, nargs=2, help="of image files")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--test", type=int, default=1000, help="held-out images that are scored")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judge", type=Path, help="file that keeps the LeNet")
    parser.add_argument("--picture", type=Path, help="a picture of all arms")
    options = parser.parse_args()
    trivial, made = None, {}
    for name, (distance, weight, adversarial) in ARMS.items():
        settings = dataclasses.replace(
            PRESETS["restore"],
            data=options.data,
            task=options.task,
            mask=options.mask,
            image_size=options.image_size and tuple(options.image_size),
            factor=options.factor,
            seed=options.seed,
            generator_width=options.width,
            distance=distance,
            reconstruction_weight=weight,
            adversarial_weight=adversarial,
            epochs=1,
            steps_per_epoch=options.steps,
        )
        recipe = PairedRecipe(settings)
        train, held_out = recipe.splits
        held_out = held_out.take(np.arange(min(options.test, len(held_out))))
        recipe.__dict__["splits"] = train, held_out
        inputs, truth = held_out.a.as_float(), held_out.b.as_float()
        if trivial is None:
            judge = judge_of(train, options.judge)
            real = judge.features(train.take(np.arange(min(10_000, len(train)))).as_float())
        model = recipe.model(train)
        start = time.process_time()
        model.fit(recipe.feed(train), steps_per_epoch=options.steps, shuffle=False, verbose=0)
        seconds = time.process_time() - start
        made[name] = model.translate(inputs)
        baselines = recipe._baselines(inputs)
        keeps = recipe.task is not None and recipe.task.keeps == "known"
        scores = kgan.evaluation.paired_scores(
            made[name],
            held_out,
            baselines=baselines,
            holes=1.0 - inputs[..., -1:] if keeps else None,
            judge=judge,
        )

        if trivial is None:
            shown = [one.name.partition("[")[0] for one in scores]
            print("| arm | " + " | ".join(shown) + " | FID | processor s |", flush=True)
            trivial = baselines
            for key, images in baselines.items():
                values = " | ".join(f"{one.baselines[key]:.4g}" for one in scores)
                print(f"| {key} | {values} | {fid(judge, real, images)} | |", flush=True)
        values = " | ".join(f"{one.value:.4g}" for one in scores)
        print(f"| {name} | {values} | {fid(judge, real, made[name])} | {seconds:.0f} |", flush=True)
    floors = " | ".join(f"{one.floor:.4g}" for one in scores)
    print(f"| the truth | {floors} | {fid(judge, real, truth)} | |")
    if options.picture is not None:
        first = next(iter(trivial.values()))
        rows = [one[:16] for one in (first, *made.values(), truth)]
        kgan.pictures.save_image(kgan.pictures.grid(np.concatenate(rows), 16), options.picture)


if __name__ == "__main__":
    main()
