"""The built-in default data: scikit-learn's 1,797 handwritten digits, 8x8 grey."""

import numpy as np

from kgan.data.dataset import Dataset

_TEST_SHARE = 5


def load_digits(split: str = "train") -> Dataset:
    """Loads digits: every fifth digit of a class is `test` (355), the others `train` (1,442).

    Args:
        split: Name of the split, "train", "test" or "all".

    Reference: Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits" (UCI).
    """
    from sklearn.datasets import load_digits as embedded

    if split not in ("train", "test", "all"):
        raise ValueError(f"split of digits must be train, test or all, got {split!r}.")
    bunch = embedded()
    # The images have 17 grey levels, from 0 to 16.
    samples = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int32)
    rank = np.empty(len(labels), int)
    for label in range(10):
        rows = np.flatnonzero(labels == label)
        rank[rows] = np.arange(len(rows))
    held_out = rank % _TEST_SHARE == _TEST_SHARE - 1
    rows = {"train": ~held_out, "test": held_out, "all": np.full(len(labels), True)}[split]
    return Dataset("digits", samples[rows], labels[rows], tuple("0123456789"))
