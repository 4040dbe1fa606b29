"""What presets of image GANs reach in equal processor time on one set of images.

    export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
    python benchmarks/image_presets.py stylegan2 --minutes 12 --out runs/presets
    python benchmarks/image_presets.py r3gan --minutes 12 --set generator_width=48 batch_size=32
    python benchmarks/image_presets.py mnist --data FOLDER --image-size 32 --unconditional \
        --extractor judge.keras --set augment=diffaugment --seeds 0 1 2

Trains one preset, with a few settings of its own, until its steps have taken so many minutes of
processor time (tracing and scoring are not counted), scores the averaged generator a few times on
the way, and writes NAME-SEED.json after each score, with NAME-SEED.png (rows of a class each) and
NAME-SEED.keras (as `kgan latents` reads it) beside it. With more `--minutes` (and as many more
`--scores`) the same command goes on from these. `image_peers.py` does the same to others.
"""

import argparse
import ast
import dataclasses
import os
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # As the commands do.

import keras
from image_scores import Clock, Scores, add_options, asked_data

import kgan.callbacks
import kgan.models
from kgan.counter import steps_done
from kgan.data import Dataset
from kgan.files import atomic_path
from kgan.recipes import GANRecipe
from kgan.settings import PRESETS


class Until(keras.callbacks.Callback):
    """Trains until a clock says that the time is up."""

    def __init__(self, clock: Clock):
        super().__init__()
        self.clock = clock

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = self.clock(steps_done(self.model), logs)


def train(data: Dataset, seed: int, options: argparse.Namespace) -> None:
    """Trains from one seed, and scores."""
    changes = {
        "conditional": data.labels is not None,
        **{key: _value(text) for key, text in (one.split("=", 1) for one in options.set)},
    }
    settings = dataclasses.replace(
        PRESETS[options.preset],  # type: ignore[arg-type]
        **{"data": data.name, "flip": False, "seed": seed, **changes},
    )
    recipe = GANRecipe(settings)
    recipe.choose(changes)
    for line in recipe.settle(data):
        print(line, flush=True)
    keras.utils.set_random_seed(seed)
    model = recipe.model(data)
    name = f"{options.name or options.preset}-{seed}"
    conditional = model.num_classes is not None
    about = {
        "preset": options.preset,
        "changes": changes,
        "seed": seed,
        "parameters": [model.generator.count_params(), model.discriminator.count_params()],
        "batch": recipe.batch_size,
    }
    scores = Scores(
        data, options, name, lambda n, y: model.generate(n, y, seed=1), conditional, about
    )
    path = options.out / f"{name}.keras"
    spent = 0.0
    if path.is_file():
        kgan.models.restore(model, path)
        spent = scores.go_on(steps_done(model))
    start = steps_done(model)

    def score(steps: int, minutes: float, logs: Any) -> None:
        more = dict(logs or {})
        if model.augmentation is not None and model.augmentation.adaptive:
            more["strength"] = model.augmentation.strength.numpy()
        scores(steps, minutes, steps * recipe.samples_per_step(), more)
        with atomic_path(path) as temporary:
            model.save(temporary)

    model.fit(
        recipe.feed(data, start=start),
        steps_per_epoch=10**7,
        shuffle=False,
        verbose=0,
        callbacks=[
            kgan.callbacks.LayerSeeds(),
            kgan.callbacks.NonFiniteGuard(),
            Until(Clock(options.minutes, options.scores, score, spent=spent)),
        ],
    )


def main(options: argparse.Namespace) -> None:
    data = asked_data(options)
    for seed in options.seeds:
        train(data, seed, options)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=[key for key in PRESETS if hasattr(PRESETS[key], "loss")])
    parser.add_argument("--set", nargs="*", default=[], help="Settings to change: NAME=VALUE.")
    add_options(parser)
    main(parser.parse_args())
