"""Which images of one set a classifier was not trained on, kept in its own file.

A file or folder without splits is split by who trains on it, and nothing about the set tells how.
An attack on all of it would find a classifier of kgan's more accurate and more robust than it is.
"""

import json
import zipfile
from pathlib import Path

import numpy as np

import kgan.data
from kgan.data import Dataset

# Keras passes over other parts of its files.
_PART = "kgan.json"
_KEY = "tested_on"


def of_split(name: str, test: Dataset, seed: int) -> dict[str, object] | None:
    """What to keep of a classifier's test images; `None` where the data have splits of their own.

    Args:
        name: The data, as for `kgan.data.load`.
        test: The images that `kgan.data.train_and_test` held out.
        seed: The seed by which it did.
    """
    if kgan.data.held_out_split(name) is not None:
        return None
    return {"seed": seed, "sha256": test.fingerprint()["sha256"]}


def write(path: Path, kept: dict[str, object] | None) -> None:
    """Adds to a new `.keras` file what `of_split` gave."""
    if kept is not None:
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(_PART, json.dumps({_KEY: kept}))


def read(path: str | Path) -> dict[str, object] | None:
    """What was kept in a file; `None` of a file that has nothing, as those that others wrote."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as file:
        if _PART not in file.namelist():
            return None
        found = json.loads(file.read(_PART))
    return found.get(_KEY) if isinstance(found, dict) else None


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
