"""GANs on small sets of images at equal processor time: which one a folder should get by default.

    TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 \\
        python benchmarks/few_images.py FOLDER EXTRACTOR.keras OUT --minutes 5 --size 32 \\
        --cases default fastgan

Each case is a preset of `kgan train` with a few settings of its own. It is trained for so many
minutes of one processor (the first step, in which TensorFlow makes its graph, is not counted), and
scored at a half of them and at the end: as many samples of the averaged generator as there are
images (at least 1,000), against the training images, by one extractor. Leaves a line of
`OUT/rows.jsonl` for each score, and `OUT/NAME-CASE-SEED.png`.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import keras
import numpy as np

import kgan.data
import kgan.pictures
from kgan.metrics.extractor import extractor
from kgan.metrics.measure import measure
from kgan.metrics.sample_set import SampleSet
from kgan.recipes import GANRecipe
from kgan.settings import PRESETS, GANSettings

CASES: dict[str, tuple[str, dict]] = {
    "default": ("digits", {}),
    "dcgan-diffaugment": ("digits", {"augment": "diffaugment"}),
    "dcgan-mnist": ("mnist", {}),
    "dcgan-mnist-diffaugment": ("mnist", {"augment": "diffaugment"}),
    "dcgan-mnist-ada": ("mnist", {"augment": "ada-upright", "augment_images": 50_000}),
    "fastgan": ("fastgan", {}),
    "fastgan-plain": ("fastgan", {"augment": "none"}),
    "r3gan": ("r3gan", {"batch_size": 32}),
    "r3gan-diffaugment": ("r3gan", {"batch_size": 32, "augment": "diffaugment"}),
    "stylegan2": ("stylegan2", {"path_length": 0.0}),
    "stylegan2-diffaugment": ("stylegan2", {"path_length": 0.0, "augment": "diffaugment"}),
    "stylegan2-ada": (
        "stylegan2",
        {"path_length": 0.0, "augment": "ada-upright", "augment_images": 50_000},
    ),
}


class Clock(keras.callbacks.Callback):
    """Ends the training after so much processor time, and scores it on the way there."""

    def __init__(self, seconds: float, score):
        super().__init__()
        self.marks = [seconds / 2, seconds]
        self.score = score
        self.spent, self.started = 0.0, None

    def on_train_batch_end(self, batch, logs=None):
        now = time.process_time()
        if self.started is None:
            self.started = now
            return
        if self.spent + now - self.started >= self.marks[0]:
            self.spent += now - self.started
            self.score(self.model, self.spent)
            self.marks.pop(0)
            self.model.stop_training = not self.marks
            self.started = time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("extractor")
    parser.add_argument("out", type=Path)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--name")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--size", type=int)
    parser.add_argument("--label", type=int, help="only this class, unlabelled")
    parser.add_argument("--unconditional", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    size = asked.size and (asked.size, asked.size)
    data = kgan.data.load(asked.data, image_size=size)
    if asked.label is not None:
        data = data.take(np.flatnonzero(data.labels == asked.label))
    if asked.limit is not None:
        data = data.take(np.random.default_rng(0).permutation(len(data))[: asked.limit])
    conditional = data.labels is not None and asked.label is None and not asked.unconditional
    name = asked.name or Path(asked.data).stem
    judge = extractor(asked.extractor)
    real = SampleSet(data.as_float(), data.labels, kind=data.kind, extractor=judge)
    asked.out.mkdir(parents=True, exist_ok=True)
    for seed in asked.seeds:
        for case in asked.cases:
            run(case, seed, data, real, name, conditional, asked.minutes, asked.out)


def run(case, seed, data, real, name, conditional, minutes, out) -> None:
    preset, own = CASES[case]
    pixels = data.sample_shape[0] * data.sample_shape[1]
    settings: GANSettings = dataclasses.replace(
        PRESETS[preset], data=name, conditional=conditional, seed=seed, flip=False, **own
    )
    if preset == "stylegan2":
        settings = dataclasses.replace(settings, penalty_weight=0.0004 * pixels / 32)
    recipe = GANRecipe(settings)
    recipe.settle(data)
    model = recipe.model(data)
    count = max(len(data), 1000) if len(data) < 5000 else 5000

    def score(model, seconds: float) -> None:
        labels = np.resize(data.labels, count) if conditional else None
        samples = model.generate(count, labels, seed=1)
        fake = SampleSet(samples, labels, kind=data.kind, extractor=real.extractor)
        steps = int(model.step.numpy())
        row = {
            "data": name,
            "images": len(data),
            "shape": list(data.sample_shape),
            "case": case,
            "seed": seed,
            "minutes": round(seconds / 60, 2),
            "steps": steps,
            "images_per_second": round(steps * recipe.samples_per_step() / seconds, 1),
            "extractor": real.extractor.label,
        }
        for metric in ("fid", "kid", "prdc", "authenticity"):
            row |= {key: round(value, 4) for key, value in measure(metric, real, fake).items()}
        if model.augmentation is not None and model.augmentation.adaptive:
            row["strength"] = round(float(model.augmentation.strength.numpy()), 3)
        with (out / "rows.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)
        rows = np.random.default_rng(0).permutation(count)[:64]
        picture = kgan.pictures.samples(data.kind, samples[rows])
        picture.save(out / f"{name}-{case}-{seed}.png")

    clock = Clock(60 * minutes, score)
    feed = recipe.feed(data)
    model.fit(feed, epochs=10_000, steps_per_epoch=50, shuffle=False, verbose=0, callbacks=[clock])


if __name__ == "__main__":
    main()
