"""Adversarial training on MNIST, linf 0.3: accuracy on clean and attacked images, and its cost.

    python benchmarks/hardening.py --method fast --seeds 0 1 2 --out fast.json
    python benchmarks/hardening.py --method trades --beta 1 --steps 10 --epochs 10 --out trades.json
    python benchmarks/hardening.py --method gat --epochs 3 --out gat.json

The protocol: all 60,000 training images but the 200 that the guard holds; clean accuracy on all
10,000 test images; PGD with 50 steps of 0.01 and 10 restarts, and AutoAttack, each on the first
1,000 test images (`--images`, `--autoattack-images`). The curve is PGD of 20 steps on the first 500
test images after each epoch; it selects nothing. Seconds count training alone, without evaluations.

Published for fast (Wong et al. 2020): clean 98.5, PGD-50-10 88.8, AutoAttack 82.9; for PGD (Madry
et al. 2018): AutoAttack 88.5; for TRADES (Zhang et al. 2019), 100 epochs: AutoAttack 92.8.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kgan.data
from kgan.attacks import FGSM, PGD, AutoAttack
from kgan.defenses import (
    METHODS,
    AdversarialTraining,
    DivergencePGD,
    FastStep,
    GenerativeAdversarialTraining,
    OverfittingGuard,
)
from kgan.files import atomic_path
from kgan.networks.classifiers import CLASSIFIERS

EPSILON = 0.3


class Curve(keras.callbacks.Callback):
    """Robust accuracy after each epoch against the seconds of training so far."""

    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels
        self.attack = PGD(EPSILON, steps=20, step_size=0.03)
        self.points: list[dict[str, float]] = []
        self.seconds = self.processor = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.perf_counter() - self._begin[0]
        self.processor += time.process_time() - self._begin[1]
        fooled = self.attack.run(self.model.classifier, self.images, self.labels).success
        self.points.append(
            {
                "epoch": epoch + 1,
                "updates": int(self.model.optimizer.iterations.numpy()),
                "seconds": self.seconds,
                "processor_seconds": self.processor,
                "pgd20": 1 - float(fooled.mean()),
                **{name: float(value) for name, value in logs.items()},
            }
        )
        print({name: round(value, 4) for name, value in self.points[-1].items()}, flush=True)


def attack_of(options: argparse.Namespace):
    """The inner attack where the options change it."""
    if options.method == "fast" and options.step_size is not None:
        return FastStep(EPSILON, step_size=options.step_size)
    if options.method in ("pgd", "trades", "mart"):
        kind = DivergencePGD if options.method == "trades" else PGD
        return kind(EPSILON, steps=options.steps or 10, step_size=options.step_size)
    return None


def training_of(options: argparse.Namespace, classifier: keras.Model, seed: int, warmup: int):
    if options.method == "gat":
        # As large a generator as leaves the classifier half of the time.
        return GenerativeAdversarialTraining(
            classifier,
            epsilon=EPSILON,
            width=4,
            blocks=1,
            normalization=None,
            clean_share=options.clean_share,
            seed=seed,
        )
    return AdversarialTraining(
        classifier,
        method=options.method,
        epsilon=EPSILON,
        attack=attack_of(options),
        beta=options.beta,
        batch_size=options.batch_size if options.method == "free" else None,
        warmup=warmup or None,
        seed=seed,
    )


def train(options: argparse.Namespace, seed: int, train_set, test_set):
    keras.utils.set_random_seed(seed)
    classifier = CLASSIFIERS[options.network]((28, 28, 1), 10, width=options.width)
    held, data = train_set.take(np.arange(200)), train_set.take(np.arange(200, len(train_set)))
    steps = kgan.data.steps_per_epoch(data, options.batch_size)
    training = training_of(options, classifier, seed, options.warmup * steps)
    updates = steps * options.epochs * training.replays
    rising = int(0.4 * updates)
    # Linear up to the peak at 40%, then down to zero.
    rate = keras.optimizers.schedules.PolynomialDecay(options.learning_rate, updates - rising, 0.0)
    training.compile(
        keras.optimizers.Adam(Rising(rate, rising)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    guard = OverfittingGuard(held.as_float(), held.labels, epsilon=EPSILON)
    curve = Curve(test_set.as_float()[:500], test_set.labels[:500])
    training.fit(
        kgan.data.feed(data, options.batch_size, seed=seed),
        steps_per_epoch=steps,
        epochs=options.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[curve, guard],
    )
    return classifier, curve, guard


class Rising(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise to the first value of another schedule, which then begins."""

    def __init__(self, then, steps: int):
        self.then, self.steps = then, steps

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        share = keras.ops.minimum(step / self.steps, 1.0)
        return share * self.then(keras.ops.maximum(step - self.steps, 0.0))


def evaluate(classifier: keras.Model, test_set, n: int, autoattack_n: int) -> dict[str, Any]:
    images, labels = test_set.as_float(), test_set.labels
    predicted = classifier.predict(images, batch_size=500, verbose=0).argmax(axis=1)
    found: dict[str, Any] = {"clean": float(np.mean(predicted == labels))}
    for name, attack in (("fgsm", FGSM(EPSILON)), ("pgd-40", PGD(EPSILON, steps=40))):
        found[name] = 1 - float(attack.run(classifier, images[:n], labels[:n]).success.mean())
    begin = time.perf_counter()
    pgd = PGD(EPSILON, steps=50, step_size=0.01, restarts=10)
    found["pgd-50-10"] = 1 - float(pgd.run(classifier, images[:n], labels[:n]).success.mean())
    found["pgd seconds"] = time.perf_counter() - begin
    print(found, flush=True)
    begin = time.perf_counter()
    attack = AutoAttack(EPSILON)
    found["autoattack"] = attack.run(
        classifier, images[:autoattack_n], labels[:autoattack_n]
    ).robust
    found["autoattack seconds"] = time.perf_counter() - begin
    found["images"], found["autoattack images"] = n, autoattack_n
    print(found, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="fast", choices=[*METHODS, "gat"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--network", default="strided_cnn", choices=CLASSIFIERS)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--step-size", type=float)
    parser.add_argument("--beta", type=float)
    parser.add_argument("--warmup", type=int, default=0, help="epochs of growing attacks")
    parser.add_argument("--clean-share", type=float, default=0.5, help="for gat")
    parser.add_argument("--images", type=int, default=1000, help="for PGD")
    parser.add_argument("--autoattack-images", type=int, default=1000)
    parser.add_argument("--models", type=Path, help="folder to keep the classifiers in")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    train_set, test_set = kgan.data.load("mnist"), kgan.data.load("mnist", "test")
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "processors": os.cpu_count(),
        "versions": {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")},
        "options": {name: str(value) for name, value in vars(options).items()},
        "seeds": {},
    }
    for seed in options.seeds:
        classifier, curve, guard = train(options, seed, train_set, test_set)
        if options.models:
            options.models.mkdir(parents=True, exist_ok=True)
            classifier.save(options.models / f"{options.method}-{seed}.keras")
        results["seeds"][seed] = {
            "seconds": curve.seconds,
            "processor seconds": curve.processor,
            "guard fired": guard.fired,
            "curve": curve.points,
        } | evaluate(classifier, test_set, options.images, options.autoattack_images)
        if options.out:
            with atomic_path(options.out) as temporary:
                temporary.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
