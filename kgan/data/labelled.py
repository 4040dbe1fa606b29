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


def train_and_test(
    name: str, *, labelled: bool = True, seed: int = 0, **options: Any
) -> tuple[Dataset, Dataset]:
    """What to train on, and what to test on.

    If a file or folder has only one split, a tenth of it is held out as test images.

    Args:
        name: As for `kgan.data.load`.
        labelled: Whether it must be images with labels.
        seed: Seed of the random choice of that tenth, an int.
        **options: Further arguments of `kgan.data.load`.
    """
    read = load_labelled if labelled else load
    data = read(name, "train", **options)
    if not Path(name).expanduser().exists():
        return data, read(name, "test", **options)
    rows = np.random.default_rng(seed).permutation(len(data))
    tenth = max(2, len(data) // 10)
    return data.take(np.sort(rows[tenth:])), data.take(np.sort(rows[:tenth]))
