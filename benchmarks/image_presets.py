"""What presets of image GANs reach in equal processor time on one data set.

    TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 python benchmarks/image_presets.py \
        stylegan2 --minutes 12 --out runs/presets
    python benchmarks/image_presets.py r3gan --minutes 12 --set generator_width=48 batch_size=32

Trains one preset until its steps have taken so many minutes of processor time (tracing and scoring
are not counted), scores the averaged generator a few times on the way, and writes NAME.json after
each score, NAME.png (rows of a class each) and NAME.keras (as `kgan latents` reads it).
"""

import argparse
import ast
import dataclasses
import datetime
import importlib.metadata
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kgan.callbacks
import kgan.evaluation
import kgan.metrics.extractor
import kgan.pictures
from kgan.files import atomic_path
from kgan.metrics import METRICS
from kgan.metrics.measure import measure
from kgan.pixels import visible
from kgan.recipes import GANRecipe
from kgan.settings import PRESETS


class Clock(keras.callbacks.Callback):
    """Scores at equal shares of the processor time of the steps, and ends with the last.

    Args:
        minutes: Of processor time.
        scores: How many scores.
        score: Function of (steps, minutes) that makes one.
    """

    def __init__(self, minutes: float, scores: int, score: Any):
        super().__init__()
        self.minutes, self.count, self.score = minutes, scores, score

    def on_train_begin(self, logs=None):
        self.start, self.done = None, 0

    def on_train_batch_end(self, batch, logs=None):
        now = time.process_time()
        if self.start is None:
            self.start = now  # The first step was traced.
        spent = (now - self.start) / 60
        if spent < self.minutes * (self.done + 1) / self.count:
            return
        self.done += 1
        self.score(batch, spent, logs)
        self.start += time.process_time() - now
        self.model.stop_training = self.done == self.count


def main(options: argparse.Namespace) -> None:
    given = dict(one.split("=", 1) for one in options.set)
    preset = PRESETS[options.preset]
    changes = {key: _value(text) for key, text in given.items()}
    settings = dataclasses.replace(preset, seed=options.seed, **{"data": "mnist", **changes})
    recipe = GANRecipe(settings)
    data = recipe.data()
    recipe.settle(data)
    keras.utils.set_random_seed(settings.seed)
    model = recipe.model(data)
    name = options.name or options.preset
    options.out.mkdir(parents=True, exist_ok=True)
    extractor = kgan.metrics.extractor.extractor(kgan.evaluation.default_extractor(data))
    real = kgan.evaluation.SampleSet(
        data.samples, data.labels, kind=data.kind, extractor=extractor, data=data.name
    ).random(options.n)
    record: dict[str, Any] = {
        "preset": options.preset,
        "changes": changes,
        "extractor": extractor.label,
        "n": options.n,
        "parameters": [model.generator.count_params(), model.discriminator.count_params()],
        "batch": recipe.batch_size,
        "versions": {one: importlib.metadata.version(one) for one in ("tensorflow", "keras")},
        "date": datetime.date.today().isoformat(),
        "scores": [],
    }

    def score(steps: int, minutes: float, logs: Any) -> None:
        labels = None if model.num_classes is None else real.labels
        samples = model.generate(options.n, labels, seed=1)
        fakes = kgan.evaluation.SampleSet(samples, labels, kind=data.kind, extractor=extractor)
        found: dict[str, float] = {}
        for metric in ("fid", "kid", "prdc"):
            values = measure(metric, real, fakes, None)
            found |= {one: float(values[one]) for one in METRICS[metric].lower_is_better}
        if labels is not None:
            told = extractor.probabilities(samples).argmax(axis=1)
            found["told"] = float((told == labels).mean())
        images = steps * recipe.samples_per_step()
        found |= {
            "steps": steps,
            "minutes": minutes,
            "images_per_second": images / minutes / 60,
            **{key: float(value) for key, value in (logs or {}).items()},
        }
        record["scores"].append(found)
        print(name, {key: round(value, 3) for key, value in found.items()}, flush=True)
        with atomic_path(options.out / f"{name}.json") as path:
            path.write_text(json.dumps(record, indent=1))
        shown = model.generate(100, np.repeat(np.arange(10), 10) if labels is not None else None)
        picture = kgan.pictures.grid(visible(shown, data.kind.shown), 10)
        kgan.pictures.save_image(picture, options.out / f"{name}.png")
        model.save(options.out / f"{name}.keras")

    model.fit(
        recipe.feed(data),
        steps_per_epoch=10**7,
        shuffle=False,
        verbose=0,
        callbacks=[
            kgan.callbacks.LayerSeeds(),
            kgan.callbacks.NonFiniteGuard(),
            Clock(options.minutes, options.scores, score),
        ],
    )


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=[key for key in PRESETS if hasattr(PRESETS[key], "loss")])
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--scores", type=int, default=4)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name")
    parser.add_argument("--set", nargs="*", default=[], help="Settings to change: NAME=VALUE.")
    parser.add_argument("--out", type=Path, default=Path("runs/presets"))
    main(parser.parse_args())
