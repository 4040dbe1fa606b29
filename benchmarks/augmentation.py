"""What generated images are worth as training data: MNIST with few labels, and with a long tail.

    python benchmarks/augmentation.py --out augmentation.json
    python benchmarks/augmentation.py --data digits --settings 0.1 --gan-steps 300 --updates 300

Four arms train the same classifier for the same number of updates: on the small set alone
("plain"), with random shifts and rotations ("classical"), with a GAN's images added ("fakes"), and
with both. The conditional GAN sees the small set alone, without augmentation. Of a share of the
labels, each class is doubled by its fakes; the long tail (imbalance 100) is filled up to its
largest class. A seed draws the subset, the weights and the fakes, so the arms of a seed are paired:
differences come with 95% intervals by Student's t over the seeds.

Accuracy on the whole test split; for the long tail also the mean of the five rarest classes'.
"""

import argparse
import datetime
import importlib.metadata
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kgan.data
import kgan.models
import kgan.networks
import kgan.penalties
import kgan.random
from kgan.data.rotation import rotate
from kgan.data.shift import shift
from kgan.files import atomic_path
from kgan.intervals import mean_interval
from kgan.networks.classifiers import small_cnn

ARMS = {
    "plain": (False, False),
    "classical": (True, False),
    "fakes": (False, True),
    "both": (True, True),
}
BATCH = 64


def subset(setting: str, data: kgan.data.Dataset, seed: int) -> kgan.data.Dataset:
    if setting == "long-tail":
        return kgan.data.long_tailed(data, imbalance=100, seed=seed)
    return kgan.data.labelled_share(data, float(setting), seed=seed)


def train_gan(data: kgan.data.Dataset, options: argparse.Namespace, seed: int) -> kgan.models.GAN:
    keras.utils.set_random_seed(seed)
    shape, classes, width = data.sample_shape, data.num_classes, options.gan_width
    gan = kgan.models.GAN(
        kgan.networks.dcgan_generator(shape, 64, num_classes=classes, width=width),
        kgan.networks.dcgan_discriminator(shape, num_classes=classes, width=width),
        num_classes=classes,
        penalties=[kgan.penalties.R1(1.0, interval=4)],
        seed=seed,
    )
    gan.compile(
        g_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
        d_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    )
    gan.fit(
        kgan.data.feed(data, BATCH, seed=seed),
        steps_per_epoch=options.gan_steps,
        epochs=1,
        shuffle=False,
        verbose=0,
    )
    return gan


def train_classifier(
    data: kgan.data.Dataset, options: argparse.Namespace, seed: int, *, move: bool
) -> keras.Model:
    keras.utils.set_random_seed(seed)
    classifier = small_cnn(data.sample_shape, data.num_classes, width=16)
    rising = options.updates // 5
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, options.updates - rising, warmup_target=2e-3, warmup_steps=rising
    )
    classifier.compile(
        keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    batches = kgan.data.feed(data, BATCH, seed=seed)
    if move:

        def moved(step, batch):
            images = rotate(
                batch[0], kgan.random.step_seed(seed, step, "rotation"), degrees=options.degrees
            )
            turn = kgan.random.step_seed(seed, step, "shift")
            return shift(images, turn, pixels=options.pixels), batch[1]

        batches = batches.enumerate().map(moved).prefetch(2)
    classifier.fit(
        batches, steps_per_epoch=options.updates, epochs=1, shuffle=False, verbose=0
    )  # fmt: skip
    return classifier


def accuracies(classifier: keras.Model, test: kgan.data.Dataset) -> tuple[float, float]:
    """On all images, and the mean over the rarer half of the classes."""
    predicted = classifier.predict(test.as_float(), batch_size=500, verbose=0).argmax(axis=1)
    right = predicted == test.labels
    rare = range(test.num_classes // 2, test.num_classes)
    return float(right.mean()), float(np.mean([right[test.labels == k].mean() for k in rare]))


def run(setting: str, seed: int, train, test, options: argparse.Namespace) -> dict[str, Any]:
    small = subset(setting, train, seed)
    counts = kgan.data.class_counts(small)
    begin = time.process_time()
    gan = train_gan(small, options, seed)
    filled = kgan.data.fill(
        small,
        lambda n, labels, seed: gan.generate(n, labels, seed=seed),
        per_class=int(counts.max()) * (1 if setting == "long-tail" else options.times),
        seed=seed,
    )
    result: dict[str, Any] = {
        "setting": setting,
        "seed": seed,
        "real": len(small),
        "fakes": len(filled) - len(small),
        "gan processor seconds": time.process_time() - begin,
        "accuracy": {},
        "tail": {},
    }
    begin = time.process_time()
    for arm, (move, fakes) in ARMS.items():
        classifier = train_classifier(filled if fakes else small, options, seed, move=move)
        result["accuracy"][arm], result["tail"][arm] = accuracies(classifier, test)
    result["classifier processor seconds"] = time.process_time() - begin
    return result


def table(runs: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| training set | plain | classical | fakes | both | fakes - plain | both - classical |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for setting in dict.fromkeys(run["setting"] for run in runs):
        for score in ("accuracy", "tail") if setting == "long-tail" else ("accuracy",):
            mine = [run[score] for run in runs if run["setting"] == setting]
            cells = [f"{100 * np.mean([one[arm] for one in mine]):.2f}" for arm in ARMS]
            for arm, other in (("fakes", "plain"), ("both", "classical")):
                gains = [100 * (one[arm] - one[other]) for one in mine]
                low, high = mean_interval(gains)
                between = "" if low is None else f" ({low:+.2f} to {high:+.2f})"
                cells.append(f"{np.mean(gains):+.2f}{between}")
            name = setting if score == "accuracy" else f"{setting}, five rarest classes"
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--settings", nargs="+", default=["0.01", "0.05", "0.1", "long-tail"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--gan-steps", type=int, default=1500)
    parser.add_argument("--gan-width", type=int, default=32)
    parser.add_argument("--times", type=int, default=2, help="class size with fakes, of a share")
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--degrees", type=float, default=15.0)
    parser.add_argument("--pixels", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    train, test = kgan.data.load(options.data), kgan.data.load(options.data, "test")
    runs = []
    for seed in options.seeds:
        for setting in options.settings:
            runs.append(run(setting, seed, train, test, options))
            print(json.dumps(runs[-1]), flush=True)
            if options.out:
                content = {
                    "date": datetime.date.today().isoformat(),
                    "versions": {
                        name: importlib.metadata.version(name) for name in ("tensorflow", "keras")
                    },
                    "options": {name: str(value) for name, value in vars(options).items()},
                    "runs": runs,
                }
                with atomic_path(options.out) as temporary:
                    temporary.write_text(json.dumps(content, indent=2) + "\n")
    print("\n".join(table(runs)))


if __name__ == "__main__":
    main()
