"""What detectors of adversarial images withstand, of attackers who know of them and who do not.

    python benchmarks/detectors.py --n 200 --out detectors.json
    python benchmarks/detectors.py --data digits --n 100 --epsilons 0.1 0.2 --steps 50

The shipped LeNet of the data; PGD-40 in linf on the first `--n` test images, once stopping where an
image fools and once with all steps, which end far in the other class; the threshold of 5% false
alarms is set on the next 1,000 test images, or those that are left. The Mahalanobis detector is
fitted on up to 10,000 training images. The attack that knows gets the same radius, and `--steps`
steps for each of its weights.
"""

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import time
from pathlib import Path
from typing import Any

import kgan.data
from kgan.attacks import PGD
from kgan.defenses import FeatureSqueezing, MahalanobisDetector, detection_report
from kgan.files import atomic_path
from kgan.metrics.extractor import extractor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist", choices=["digits", "mnist"])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[0.1, 0.2, 0.3])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    test, train = kgan.data.load(options.data, "test"), kgan.data.load(options.data)
    images, labels = test.as_float(), test.labels
    classifier = extractor(f"lenet-{options.data}").model
    some = train.take(range(min(len(train), 10_000)))
    detectors = [
        FeatureSqueezing(classifier),
        MahalanobisDetector(classifier).fit(some.as_float(), some.labels),
    ]
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")},
        "options": {name: str(value) for name, value in vars(options).items()},
        "rows": [],
    }
    for detector in detectors:
        for epsilon in options.epsilons:
            for early_stop in (True, False):
                begin = time.process_time()
                report = detection_report(
                    detector,
                    images[: options.n],
                    labels[: options.n],
                    attack=PGD(epsilon, steps=40, early_stop=early_stop),
                    calibration=images[options.n : options.n + 1000],
                    steps=options.steps,
                    batch_size=100,
                )
                print(report, flush=True)
                seconds = time.process_time() - begin
                row = dataclasses.asdict(report) | {"processor seconds": seconds}
                for name in ("naive", "adaptive"):
                    del row[name]["roc"]
                results["rows"].append(row | {"epsilon": epsilon, "early_stop": early_stop})
                if options.out:
                    with atomic_path(options.out) as temporary:
                        temporary.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
