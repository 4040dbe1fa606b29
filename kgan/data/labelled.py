"""Loads images with labels, to train or attack a classifier."""

from pathlib import Path
from typing import Any

import numpy as np

from kgan.data.arrays import has_split
from kgan.data.dataset import Dataset
from kgan.data.folder import folder_splits
from kgan.data.load import COMPOSED, DATASETS, load


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

    A folder with the subfolders train and test (or val) and a file with arrays of both are tested
    on those; of any other file or folder a tenth is held out as test images.

    Args:
        name: As for `kgan.data.load`.
        labelled: Whether it must be images with labels.
        seed: Seed of the random choice of that tenth, an int.
        **options: Further arguments of `kgan.data.load`.
    """
    read = load_labelled if labelled else load
    data = read(name, "train", **options)
    if options.get("value_range") == "auto":
        # The test images are scaled as the training images are, by the range of these.
        options["value_range"] = getattr(data.kind, "value_range", None)
    test = held_out_split(name)
    if test is not None:
        return data, read(name, test, **options)
    rows = held_out_rows(len(data), seed)
    return data.take(np.setdiff1d(np.arange(len(data)), rows)), data.take(rows)


def held_out_rows(n: int, seed: int) -> np.ndarray:
    """The rows of n that `train_and_test` holds out by a seed of data without splits, in order."""
    return np.sort(np.random.default_rng(seed).permutation(n)[: max(2, n // 10)])


def held_out_split(name: str) -> str | None:
    """The split of a set to test on: "test", or "val" of a folder that has no other.

    Args:
        name: As for `kgan.data.load`.

    Returns:
        The split's name; `None` for a folder or file that has one split alone.
    """
    path = Path(name).expanduser()
    if name in DATASETS or name in COMPOSED or not path.exists():
        return "test"
    if path.is_dir():
        there = folder_splits(path)
        return next((one for one in ("test", "val") if one in there), None)
    return "test" if has_split(path, "test") else None
