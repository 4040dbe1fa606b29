"""Images with labels, for what learns or judges classes."""

from pathlib import Path
from typing import Any

import numpy as np

from kgan.data.dataset import Dataset
from kgan.data.load import load


def load_labelled(name: str, split: str = "train", **options: Any) -> Dataset:
    """The labelled images of that name.

    Args:
        name: As for `kgan.data.load`.
        split: As for `kgan.data.load`.
        **options: As for `kgan.data.load`.

    Raises:
        ValueError: Where the data are no images, or have no labels.
    """
    data = load(name, split, **options)
    if not data.is_images or data.labels is None:
        raise ValueError(f"a classifier needs images with labels; {name} has none.")
    return data


def train_and_test(
    name: str, *, labelled: bool = True, seed: int = 0, **options: Any
) -> tuple[Dataset, Dataset]:
    """What to train on, and what to test on.

    A file or folder has one split, of which a tenth is held out.

    Args:
        name: As for `kgan.data.load`.
        labelled: Whether it must be images with labels.
        seed: Seed of the draw of that tenth.
        **options: As for `kgan.data.load`.
    """
    read = load_labelled if labelled else load
    data = read(name, "train", **options)
    if not Path(name).expanduser().exists():
        return data, read(name, "test", **options)
    rows = np.random.default_rng(seed).permutation(len(data))
    tenth = max(2, len(data) // 10)
    return data.take(np.sort(rows[tenth:])), data.take(np.sort(rows[:tenth]))
