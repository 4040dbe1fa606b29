"""Trains the extractors that kgan ships, from a fixed seed.

    python benchmarks/train_extractors.py            # needs tensorflow-datasets' mnist

Writes kgan/metrics/extractors/NAME.keras without the optimizer's state and prints each one's hash,
to be pinned in kgan/metrics/extractor.py. A retrained network has other weights (another machine
rounds differently), so its scores are others: the hash beside each score tells them apart.
"""

import dataclasses
import tempfile
from pathlib import Path

import keras

from kgan.files import atomic_path
from kgan.metrics.extractor import SHIPPED, Extractor
from kgan.runs.classifying import train_classifier
from kgan.settings import ClassifierSettings

CONFIGS = {
    "lenet-digits": ClassifierSettings(
        data="digits", network="lenet", width=16, epochs=60, weight_decay=1e-2
    ),
    "lenet-mnist": ClassifierSettings(
        data="mnist",
        network="lenet",
        width=12,
        shift=2,
        epochs=12,
        batch_size=128,
        learning_rate=2e-3,
        weight_decay=1e-2,
    ),
}


def main() -> None:
    """Trains both and writes them into the package."""
    for name, config in CONFIGS.items():
        with tempfile.TemporaryDirectory() as folder:
            here = dataclasses.replace(
                config, name=name, classifiers_dir=Path(folder), runs_dir=Path(folder)
            )
            train_classifier(here, name=f"classifier-{name}")
            model = keras.models.load_model(Path(folder, f"{name}.keras"), compile=False)
        with atomic_path(SHIPPED / f"{name}.keras") as temporary:
            model.save(temporary)
        print(f"{Extractor(model, name=name).label}\n", flush=True)


if __name__ == "__main__":
    main()
