"""Which images of one set a classifier was not trained on, kept in its own file.

A file or folder without splits is split by who trains on it, and nothing about the set tells how.
An attack on all of it would find a classifier of kgan's more accurate and more robust than it is.
"""

import contextlib
import json
import zipfile
from pathlib import Path

import numpy as np

import kgan.data
from kgan.data import Dataset
from kgan.random import check_seed
from kgan.settings import ClassifierSettings

# Keras passes over other parts of its files.
_PART = "kgan.json"
_KEY = "tested_on"


def of_training(settings: ClassifierSettings, test: Dataset) -> dict[str, object] | None:
    """What to keep of a classifier's test images.

    Args:
        settings: The settings of its training.
        test: The images that `kgan.data.train_and_test` held out.

    Returns:
        `None` where the data have a split for tests, and where the classifier learnt from generated
        samples too, whose generator may know all of the data.
    """
    if settings.fakes is not None or kgan.data.held_out_split(settings.data) is not None:
        return None
    return {"seed": settings.seed, "sha256": test.fingerprint()["sha256"]}


def write(path: Path, kept: dict[str, object] | None) -> None:
    """Adds to a new `.keras` file what `of_training` gave."""
    if kept is not None:
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(_PART, json.dumps({_KEY: kept}))


def read(path: str | Path) -> dict[str, object] | None:
    """What was kept in a file; `None` of a file that has nothing, as those that others wrote."""
    if not zipfile.is_zipfile(path):
        return None
    # Another tool may have a part of that name.
    with contextlib.suppress(ValueError, KeyError, TypeError), zipfile.ZipFile(path) as file:
        found = json.loads(file.read(_PART))[_KEY]
        return {"seed": check_seed(found["seed"]), "sha256": str(found["sha256"])}
    return None


def rows_of(path: str | Path, data: Dataset) -> np.ndarray | None:
    """The rows of a set that the classifier of a file was not trained on.

    Args:
        path: The file.
        data: The whole set.

    Returns:
        Their numbers in order; `None` where the file says nothing, or was trained on other data.
    """
    kept = read(path)
    if kept is None or data.labels is None:
        return None
    rows = kgan.data.held_out_rows(len(data), int(str(kept["seed"])))
    same = data.take(rows).fingerprint()["sha256"] == kept["sha256"]
    return rows if same else None
