"""Loads images with labels, to train or attack a classifier."""

from pathlib import Path
from typing import Any

import numpy as np

from kgan.data.dataset import Dataset
from kgan.data.load import load


def load_labelled(name: str, split: str = "train", **options: Any) -> Dataset:
    """Loads labelled images by name.

    Args:
        name: As for `kgan.data.load`.
        split: Name of the split, as for `kgan.data.load`.
        **options: Further arguments of `kgan.data.load`.

    Raises:
        ValueError: If the data are not images, or have no labels.
    """
    data = load(name, split, **options)
    if not data.is_images or data.labels is None:
        raise ValueError(f"a classifier needs images with labels; {name} has none.")
    return data


def train_and_test(name: str, *, seed: int = 0, **options: Any) -> tuple[Dataset, Dataset]:
    """Loads the images to train a classifier on, and those to test it on.

    If a file or folder has only one split, a tenth of it is held out as test images.

    Args:
        name: As for `kgan.data.load`.
        seed: Seed of the random choice of that tenth, an int.
        **options: Further arguments of `kgan.data.load`.
    """
    data = load_labelled(name, "train", **options)
    if not Path(name).expanduser().exists():
        return data, load_labelled(name, "test", **options)
    rows = np.random.default_rng(seed).permutation(len(data))
    tenth = max(2, len(data) // 10)
    return data.take(np.sort(rows[tenth:])), data.take(np.sort(rows[:tenth]))
