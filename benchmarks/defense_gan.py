"""What Defense-GAN withstands: attacks that do not know of it, and attacks through it.

    python benchmarks/defense_gan.py --gan runs/mnist/checkpoints/best.keras --out defense_gan.json
    python benchmarks/defense_gan.py --gan saved.keras --data digits --epsilon 0.15 --attack fgsm

For each attack, on the first `--n` test images that the classifier gets right and wrong alike: the
accuracy of the bare classifier and of the purified one on clean images, on images that attack the
bare classifier (naive), and on images that attack the projection and the classifier together by
BPDA and, with `--unrolled`, by the gradient through the descent (adaptive); and the area under the
ROC curve of the reconstruction error as a detector of each.
The threshold of 5% false alarms is set on the next `--n` test images.

The classifier is the shipped LeNet unless `--model` names another. The costs are in processor
seconds, of which an adaptive attack takes `--n` * (its steps + 2) * restarts * steps generator
passes.
"""

import argparse
import dataclasses
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
from kgan.attacks import FGSM, PGD
from kgan.defenses import DefenseGAN, purification_report
from kgan.files import atomic_path
from kgan.metrics.extractor import extractor

LENETS = {"mnist": "lenet-mnist", "digits": "lenet-digits"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gan", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--epsilon", type=float, default=0.3)
    parser.add_argument("--attack", nargs="+", default=["pgd", "fgsm"], choices=["fgsm", "pgd"])
    parser.add_argument("--pgd-steps", type=int, default=10)
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.3)
    parser.add_argument(
        "--unrolled", type=int, default=0, help="steps that a gradient goes through"
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    test = kgan.data.load(options.data, "test")
    images, labels = test.as_float(), test.labels
    gan = kgan.models.load(options.gan)
    classifier = (
        extractor(LENETS[options.data]).model
        if options.model is None
        else keras.models.load_model(options.model)
    )
    defense = DefenseGAN(
        gan,
        classifier,
        steps=options.steps,
        restarts=options.restarts,
        learning_rate=options.learning_rate,
    )
    first, following = slice(0, options.n), slice(options.n, 2 * options.n)
    begin = time.process_time()
    threshold = defense.threshold(images[following], false_positive_rate=0.05)
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")},
        "options": {name: str(value) for name, value in vars(options).items()},
        "gan steps": int(np.asarray(gan.step)),
        "threshold": threshold,
        "false alarms": float(defense.detect(images[first], threshold).mean()),
        "processor seconds of a projection": (time.process_time() - begin) / (2 * options.n),
        "attacks": {},
    }
    for name in options.attack:
        attack = (
            FGSM(options.epsilon)
            if name == "fgsm"
            else PGD(options.epsilon, steps=options.pgd_steps)
        )
        begin = time.process_time()
        report = purification_report(
            defense,
            images[first],
            labels[first],
            attack=attack,
            unrolled=options.unrolled,
            batch_size=min(options.n, 64),
        )
        print(report, flush=True)
        results["attacks"][name] = dataclasses.asdict(report) | {
            "processor seconds": time.process_time() - begin
        }
        if options.out:
            with atomic_path(options.out) as temporary:
                temporary.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
