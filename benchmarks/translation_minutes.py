"""Quality after equal processor minutes: kgan, TensorFlow's tutorials' pattern, and PyTorch.

    python benchmarks/translation_minutes.py digits --minutes 2 --contestant kgan
    python benchmarks/translation_minutes.py emoji A B --catalogue emoji.json --minutes 2

`emoji` is pix2pix on pairs (see `true_pairs.py`); `digits` is CycleGAN without pairs, MNIST's
digits and orange ones on blue, whose truth is known (see `known_maps.py`). The contestants are
those of `translation_contestants.py`, at 32 pixels: the same networks, losses, rates and order of
batches.
What is traced or compiled in the first step is not counted, loading of batches is. Prints a row of
JSON for each: L1 and FID on held-out images, by the features of a LeNet that is shared by all.
"""

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import Any

# PyTorch's compiler and TensorFlow do not load in the other order.
with contextlib.suppress(ModuleNotFoundError):
    import torch
    import torch._dynamo  # isort: skip

import keras
import numpy as np
import tensorflow as tf
import true_pairs
from known_maps import MAPS
from translation_contestant import Contestant
from translation_contestants import CONTESTANTS

import kgan.data
import kgan.pictures
from kgan.data import Dataset, Pairs
from kgan.metrics.feature_extractor import Extractor
from kgan.metrics.frechet import frechet_distance
from kgan.metrics.image_quality import ssim
from kgan.networks.classifiers import lenet

SIDE = 32


def digits(options: argparse.Namespace) -> tuple[Pairs, Pairs]:
    """Digits and the map of others, to train on without pairs; and test digits with their map."""
    found = []
    for split, count in (("train", 20_000), ("test", 2_000)):
        data = kgan.data.load("mnist", split, data_dir=options.data_dir, download=False)
        data = data.take(np.random.default_rng(0).permutation(len(data))[:count])
        images = np.pad(data.as_float(), [(0, 0), (2, 2), (2, 2), (0, 0)])
        images = np.repeat(images, 3, axis=-1)
        mapped = MAPS["coloured"](images).astype(np.float32)
        half = count // 2 if split == "train" else 0
        rows = slice(half, None), slice(0, half or None)
        names = data.class_names or tuple(map(str, range(10)))
        found.append(
            Pairs(
                *(
                    Dataset(name, values[chosen], data.labels[chosen], names)
                    for name, values, chosen in zip("ab", (images, mapped), rows, strict=True)
                )
            )
        )
    return found[0], found[1]


def extractor(data: Dataset) -> Extractor:
    """A LeNet of B's classes."""
    keras.utils.set_random_seed(0)
    model = lenet(data.sample_shape, len(data.class_names or ()), width=16)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data.as_float(), data.labels, batch_size=64, epochs=3, verbose=0)
    return Extractor(model, name="lenet")


def train(one: Contestant, data: Pairs, paired: bool, options: argparse.Namespace) -> int:
    """Trains for the processor seconds asked for; returns the steps."""
    images = [side.as_float() for side in (data.a, data.b)]
    random = np.random.default_rng(options.seed)

    def step() -> None:
        rows = [random.integers(len(side), size=options.batch_size) for side in images]
        if paired:
            rows[1] = rows[0]
        one.step(*(one.batch(side[chosen]) for side, chosen in zip(images, rows, strict=True)))

    step()
    begin, steps = time.process_time(), 0
    while time.process_time() - begin < 60 * options.minutes:
        step()
        steps += 1
    return steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["emoji", "digits"])
    parser.add_argument("a", type=Path, nargs="?")
    parser.add_argument("b", type=Path, nargs="?")
    parser.add_argument("--catalogue", type=Path)
    parser.add_argument("--contestant", action="append")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=Path("minutes"), help="folder of pictures")
    options = parser.parse_args()
    options.side = SIDE
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    paired = options.task == "emoji"
    data, test = true_pairs.emoji(options) if paired else digits(options)
    judge = extractor(data.b)
    real = judge.features(data.b.as_float())
    given, truth = test.a.as_float(), test.b.as_float()

    def report(name: str, images: np.ndarray, **more: Any) -> None:
        row = {
            "contestant": name,
            "l1": round(float(np.abs(images - truth).mean()), 4),
            "ssim": round(float(ssim(images, truth).mean()), 3),
            "fid": round(float(frechet_distance(real, judge.features(images))), 1),
        }
        print(json.dumps({**row, **more}), flush=True)

    print(json.dumps({"task": options.task, "train": len(data), "held out": len(test)}))
    report("the truth", truth)
    report("untranslated", given)
    options.out.mkdir(parents=True, exist_ok=True)
    makers = CONTESTANTS["pix2pix" if paired else "cyclegan"]
    for name in options.contestant or [one for one in makers if "," not in one]:
        keras.utils.set_random_seed(options.seed)
        if name == "pytorch":
            torch.set_num_threads(1)
            torch.manual_seed(options.seed)
        one = makers[name](SIDE, options.width, options.rate)
        steps = train(one, data, paired, options)
        images = one.translate(given)
        report(name, images, steps=steps, minutes=options.minutes, seed=options.seed)
        rows = np.concatenate([side[:16] for side in (given, images, truth)])
        picture = kgan.pictures.grid(rows, 16)
        kgan.pictures.save_image(picture, options.out / f"{options.task}-{name}.png")


if __name__ == "__main__":
    main()
