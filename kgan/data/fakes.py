"""Adds generated samples to real ones, to train a classifier on a small or imbalanced set."""

import dataclasses
from collections.abc import Callable

import numpy as np

import kgan.random
from kgan.data.dataset import Dataset
from kgan.data.subsets import class_counts
from kgan.pixels import to_uint8

Generate = Callable[[int, np.ndarray, int], np.ndarray]


def fill(
    dataset: Dataset, generate: Generate, *, per_class: int | None = None, seed: int = 0
) -> Dataset:
    """Adds generated samples until each class has `per_class` samples; keeps all real samples.

    Args:
        dataset: Images or points in memory, with labels.
        generate: Function of (n, labels, seed) that returns samples (n, ...), images as float32 in
            [0, 1]. For a conditional GAN use
            `lambda n, labels, seed: gan.generate(n, labels, seed=seed)`.
        per_class: Number of samples, real and generated, of each class in the result; the size of
            the most frequent class if None. A class with more keeps all of its samples.
        seed: Seed that is passed to `generate`, an int.

    Returns:
        A `Dataset` of the real samples, followed by the generated ones in the order of their
        classes, in the data's own format (uint8, or float32).

    Example:

    ```python
    small = kgan.data.labelled_share(kgan.data.load("mnist"), 0.01)
    filled = kgan.data.fill(small, generate, per_class=120)
    ```
    """
    counts = class_counts(dataset)
    target = int(counts.max()) if per_class is None else per_class
    if target < 1:
        raise ValueError(f"per_class must be at least 1, got {per_class}.")
    missing = np.maximum(target - counts, 0)
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), missing)
    if not len(labels):
        return dataset
    fakes = np.asarray(generate(len(labels), labels, kgan.random.check_seed(seed)))
    if fakes.shape != (len(labels), *dataset.sample_shape):
        raise ValueError(
            f"generate must give samples of the shape {(len(labels), *dataset.sample_shape)} "
            f"of {dataset.name}, got {fakes.shape}."
        )
    # A separate `Dataset`, so that the fakes are checked like real data.
    fakes = Dataset(
        f"generated for {dataset.name}", fakes.astype(np.float32), kind=dataset.kind
    ).samples
    exact = None if dataset.exact is None else np.concatenate([dataset.exact, fakes])
    if dataset.samples.dtype == np.uint8:
        fakes = to_uint8(fakes)
    return dataclasses.replace(
        dataset,
        name=f"{dataset.name} with fakes",
        samples=np.concatenate([np.asarray(dataset.samples), fakes]),
        labels=np.concatenate([dataset.labels, labels]),
        exact=exact,
    )
