"""The embedded table: scikit-learn's 569 breast tumours, thirty measures and a diagnosis."""

import numpy as np
from sklearn.datasets import load_breast_cancer as embedded

import kgan.names
from kgan.data.dataset import Dataset
from kgan.data.table import table

_TEST_SHARE = 4
TARGET = "diagnosis"


def load_breast_cancer(split: str = "train") -> Dataset:
    """Every fourth row of a diagnosis is held out for `test` (142), the others are `train` (427).

    Thirty numbers, which depend on each other strongly, and the column `diagnosis`, benign or
    malignant. Of the tables that scikit-learn ships with a class it has the most rows.

    Args:
        split: "train", "test" or "all".

    Reference: Street, Wolberg & Mangasarian 1993, "Nuclear feature extraction for breast tumor
        diagnosis" (UCI).
    """
    kgan.names.check("split of breast-cancer", split, ("train", "test", "all"))
    bunch = embedded()
    columns = {str(name): bunch.data[:, i] for i, name in enumerate(bunch.feature_names)}
    columns[TARGET] = bunch.target_names.astype(object)[bunch.target]
    rank = np.empty(len(bunch.target), int)
    for label in range(len(bunch.target_names)):
        rows = np.flatnonzero(bunch.target == label)
        rank[rows] = np.arange(len(rows))
    held_out = rank % _TEST_SHARE == _TEST_SHARE - 1
    rows = {"train": ~held_out, "test": held_out, "all": np.full(len(rank), True)}[split]
    return table("breast-cancer", columns).take(np.flatnonzero(rows))
