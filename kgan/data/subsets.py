"""Small and imbalanced parts of a labelled data set."""

import numpy as np

import kgan.random
from kgan.data.dataset import Dataset


def labelled_share(dataset: Dataset, share: float, *, seed: int = 0) -> Dataset:
    """The same share of each class, drawn at random.

    Args:
        dataset: With labels.
        share: Share of the samples to keep, in (0, 1]. A class of m samples keeps
            `round(share * m)` of them, and at least one.
        seed: Seed of the draw, an int. With equal seeds, a smaller share is part of a larger one.

    Returns:
        A `Dataset` of the samples kept, in their first order.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share must be in (0, 1], got {share}.")
    counts = class_counts(dataset)
    wanted = np.where(counts > 0, np.maximum(1, np.round(share * counts)), 0)
    return _draw(dataset, wanted.astype(int), seed)


def long_tailed(dataset: Dataset, *, imbalance: float = 100.0, seed: int = 0) -> Dataset:
    """A part whose class sizes fall exponentially, from the first class to the last.

    Of K classes, class k keeps `n * imbalance ** (-k / (K - 1))` samples, with n the size of the
    data's smallest class, and at least one.

    Args:
        dataset: With labels.
        imbalance: Ratio of the sizes of the first and the last class, at least 1.
        seed: Seed of the draw, an int.

    Returns:
        A `Dataset` of the samples kept, in their first order.

    Reference:
        Cui et al., "Class-balanced loss based on effective number of samples", 2019, section 5.1.
    """
    if not imbalance >= 1.0:
        raise ValueError(f"imbalance must be at least 1, got {imbalance}.")
    counts = class_counts(dataset)
    if len(counts) < 2:
        raise ValueError(f"a long tail needs at least 2 classes; {dataset.name} has {len(counts)}.")
    if counts.min() == 0:
        raise ValueError(
            f"a long tail needs samples of every class; {dataset.name} has none of class "
            f"{counts.argmin()}."
        )
    rank = np.arange(len(counts)) / (len(counts) - 1)
    wanted = np.maximum(1, np.round(counts.min() * imbalance**-rank))
    return _draw(dataset, wanted.astype(int), seed)


def class_counts(dataset: Dataset) -> np.ndarray:
    """Number of samples of each class, shape (classes,)."""
    if dataset.labels is None or dataset.num_classes is None:
        raise ValueError(f"{dataset.name} must have labels.")
    return np.bincount(dataset.labels, minlength=dataset.num_classes)


def _draw(dataset: Dataset, wanted: np.ndarray, seed: int) -> Dataset:
    assert dataset.labels is not None
    order = np.random.default_rng(kgan.random.check_seed(seed)).permutation(len(dataset))
    classes = dataset.labels[order]
    rows = [order[classes == label][:count] for label, count in enumerate(wanted)]
    return dataset.take(np.sort(np.concatenate(rows)))
