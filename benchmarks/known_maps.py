"""CycleGAN on maps that are known: MNIST to MNIST inverted, slanted or coloured.

    python benchmarks/known_maps.py --map inverted --steps 600

Half of the training digits are A, the map of the other half is B, so that no pair is among them.
Prints the mean absolute error of the translated test digits from the map of them, both ways, beside
the untranslated ones and the mean image; a picture has rows of digits, their translation and its
truth, and then the same of the way back.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import kgan.data
import kgan.models
import kgan.networks
import kgan.pictures
from kgan.data import Dataset, Domains
from kgan.data.slanted import SLOPE
from kgan.models.learning_rate import ConstantThenLinear

_INK, _PAPER = np.array([1.0, 0.55, 0.1]), np.array([0.05, 0.15, 0.45])

MAPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inverted": lambda images: 1.0 - images,
    "slanted": lambda images: kgan.data.slant(images, SLOPE),
    # Orange ink on dark blue.
    "coloured": lambda images: images * _INK + (1.0 - images) * _PAPER,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--map", choices=list(MAPS), default="inverted")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir")
    parser.add_argument("--picture", type=Path, help="a picture of both ways")
    options = parser.parse_args()
    train, test = (
        kgan.data.load("mnist", split, data_dir=options.data_dir, download=False)
        for split in ("train", "test")
    )

    def mapped(images: np.ndarray) -> np.ndarray:
        return MAPS[options.map](images).astype(np.float32)

    rows = np.random.default_rng(options.seed).permutation(len(train))[:20_000]
    a = train.take(rows[:10_000])
    b = Dataset(options.map, mapped(train.take(rows[10_000:]).as_float()))
    keras.utils.set_random_seed(options.seed)
    shapes = [a.sample_shape, b.sample_shape]
    gan = kgan.models.CycleGAN(
        *(
            kgan.networks.translation_generator(given, channels=made[-1], width=16)
            for given, made in (shapes, shapes[::-1])
        ),
        *(kgan.networks.patch_discriminator(shape, width=32) for shape in shapes),
        identity_weight=0.0,
        seed=options.seed,
    )
    half = options.steps // 2
    gan.compile(
        **{
            name: keras.optimizers.Adam(
                ConstantThenLinear(
                    options.rate, constant_steps=half, falling_steps=options.steps - half
                ),
                beta_1=0.5,
            )
            for name in ("g_optimizer", "d_optimizer")
        }
    )
    start = time.process_time()
    feed = kgan.data.feed_apart(Domains(a, b), options.batch_size, seed=options.seed)
    gan.fit(feed, steps_per_epoch=options.steps, shuffle=False, verbose=0)
    seconds = round(time.process_time() - start)
    images = test.as_float()[:2000]
    truth = mapped(images)
    made, back = gan.translate(images), gan.translate(truth, "b_to_a")

    def error(made: np.ndarray, wanted: np.ndarray) -> float:
        return round(float(np.abs(made - wanted).mean()), 4)

    row = {
        "map": options.map,
        "steps": options.steps,
        "seconds": seconds,
        "error": error(made, truth),
        "error back": error(back, images),
        "untranslated": error(images, truth),
        "mean image": error(b.as_float().mean(axis=0), truth),
    }
    print(json.dumps(row), flush=True)
    if options.picture is not None:
        rows = [one[:16] for one in (images, made, truth, truth, back, images)]
        channels = b.sample_shape[-1]
        shown = [np.repeat(one, channels // one.shape[-1], axis=-1) for one in rows]
        kgan.pictures.save_image(kgan.pictures.grid(np.concatenate(shown), 16), options.picture)


if __name__ == "__main__":
    main()
