"""AdvGAN on MNIST, linf 0.3: how often it fools the test images, and how fast, beside PGD-40.

    kgan train-classifier mnist
    M=saved_models/classifiers/mnist.keras
    python benchmarks/advgan.py --model $M --kind white --attack white.keras --out white.json
    python benchmarks/advgan.py --model $M --kind black --epochs 3 --attack black.keras --out b.json
    python benchmarks/advgan.py --model $M --kind targets --attack any.keras --out targets.json
    python benchmarks/advgan.py --model $M --kind white --attack white.keras --time

Trains on the 60,000 training images with their labels, unless the file of `--attack` is there, and
measures on the first `--images` test images; with "targets", each target on the images of the other
classes. Success counts images that were misclassified to begin with, as everywhere.

`--time` only times: batches of 256 test images, the median of `--repeats` calls after one that
compiles, in seconds of the clock and of the processor. PGD has 40 steps of 0.01. "run" includes the
victim's judgement of each image before and after, as all attacks of kgan do; "generate" is the
forward pass alone.

Published (Xiao et al. 2018, MNIST, 0.3): semi-white-box 97.9, 97.1, 98.3% for three classifiers;
black box by dynamic distillation 93.4, 90.1, 94.0%.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kgan.data
from kgan.attacks import PGD, AdvGAN, Victim, victim_of
from kgan.files import atomic_path

EPSILON = 0.3
KINDS: dict[str, dict[str, Any]] = {
    "white": {},
    "black": {"black_box": True, "kappa": 10.0},
    "targets": {"targets": "any"},
    "epsilons": {"least_epsilon": 0.05},
}


class Epochs(keras.callbacks.Callback):
    """Processor seconds and logs after each epoch."""

    def __init__(self):
        super().__init__()
        self.points: list[dict[str, float]] = []

    def on_train_begin(self, logs=None):
        self.begin = time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        said = {name: round(float(value), 4) for name, value in logs.items()}
        seconds = round(time.process_time() - self.begin, 1)
        self.points.append({"epoch": epoch + 1, "processor seconds": seconds, **said})
        print(self.points[-1], flush=True)


def fitted(options: argparse.Namespace, victim: Victim) -> tuple[AdvGAN, list]:
    if options.attack is not None and options.attack.is_file():
        return AdvGAN.load(options.attack), []
    attack = AdvGAN(EPSILON, seed=options.seed, **KINDS[options.kind])
    train, epochs = kgan.data.load("mnist"), Epochs()
    attack.fit(victim, train.samples, train.labels, epochs=options.epochs, callbacks=[epochs])
    if options.attack is not None:
        attack.save(options.attack)
    return attack, epochs.points


def measure(attack: AdvGAN, victim: Victim, images: np.ndarray, labels: np.ndarray) -> dict:
    found: dict[str, Any] = {"images": len(images)}
    if attack.targets == "any":
        by_target = {}
        for target in range(victim.classes):
            rows = labels != target
            goals = np.full(rows.sum(), target)
            result = attack.run(victim, images[rows], targets=goals)
            by_target[target] = float(result.success.mean())
        return found | {"success": float(np.mean([*by_target.values()])), "by target": by_target}
    radii = [attack.epsilon] if attack.least_epsilon is None else [0.05, 0.1, 0.2, 0.3]
    for epsilon in radii:
        result = attack.replace(epsilon=epsilon).run(victim, images, labels)
        change = (result.adversarial.astype(np.float64) - images).reshape(len(images), -1)
        found[f"success at {epsilon:g}"] = float(result.success.mean())
        found[f"largest change at {epsilon:g}"] = float(np.abs(change).max())
        found[f"mean l2 at {epsilon:g}"] = float(
            np.linalg.norm(change[result.success], axis=1).mean()
        )
    return found


def timed(call: Callable[[], Any], repeats: int) -> dict[str, float]:
    call()
    clock, processor = [], []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        call()
        clock.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return {"seconds": float(np.median(clock)), "processor seconds": float(np.median(processor))}


def compare(attack: AdvGAN, victim: Victim, images, labels, repeats: int) -> dict:
    pgd = PGD(EPSILON, steps=40, step_size=0.01)
    rows = {
        "pgd-40, all steps": lambda: pgd.replace(early_stop=False).run(victim, images, labels),
        "pgd-40, early stop": lambda: pgd.run(victim, images, labels),
        "advgan, run": lambda: attack.run(victim, images, labels),
        "advgan, generate": lambda: attack.last_iterates(victim, images, labels),
    }
    found: dict[str, Any] = {}
    for name, call in rows.items():
        found[name] = timed(call, repeats)
        print(f"  {name:<20}{found[name]}", flush=True)
    for mine in ("advgan, run", "advgan, generate"):
        for theirs in ("pgd-40, all steps", "pgd-40, early stop"):
            ratio = found[theirs]["seconds"] / found[mine]["seconds"]
            found[f"{mine} over {theirs}"] = round(ratio, 1)
            print(f"  {mine} over {theirs}: {ratio:.1f} times")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--kind", default="white", choices=KINDS)
    parser.add_argument("--attack", type=Path, help=".keras file to keep or to use")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    model = keras.models.load_model(options.model, compile=False)
    test = kgan.data.load("mnist", "test").take(np.arange(options.images))
    images, labels = test.as_float(), test.labels
    victim = victim_of(model, images[:32])
    attack, points = fitted(options, victim)
    if options.time:
        found = compare(attack, victim, images[:256], labels[:256], options.repeats)
    else:
        found = measure(attack, victim, images, labels)
    results = {
        "date": datetime.date.today().isoformat(),
        "processors": os.cpu_count(),
        "versions": {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")},
        "options": {name: str(value) for name, value in vars(options).items()},
        "epochs": points,
        **found,
    }
    print(json.dumps(found, indent=2))
    if options.out:
        with atomic_path(options.out) as temporary:
            temporary.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
