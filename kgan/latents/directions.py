"""Directions in a space of latents or styles along which images change in one way.

All of them are rows of unit length, float32 (count, size), the strongest first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def principal(
    styles: ArrayLike, count: int, *, labels: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which styles of random latents vary most, or those of one class do.

    Args:
        styles: Styles, or features of a layer, (n, size).
        count: Number of directions.
        labels: Class of each, (n,): what lies between classes then does not count. At least one
            class must have two.

    Returns:
        The directions, and the standard deviation of the styles along each, (count,).

    Reference: Härkönen et al. 2020, GANSpace (arXiv:2004.02546).
    """
    rows = np.asarray(styles, np.float64)
    _check_count(count, min(rows.shape))
    centred, freedom = _centred(rows, labels)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    deviations = lengths[:count] / np.sqrt(freedom)
    return _signed(directions[:count]), deviations.astype(np.float32)


def deviations_along(
    directions: ArrayLike, styles: ArrayLike, *, labels: ArrayLike | None = None
) -> np.ndarray:
    """The standard deviation of styles along each of some directions, float32 (count,).

    Args:
        directions: Rows of unit length, (count, size).
        styles: As for `principal`.
        labels: As for `principal`.
    """
    centred, freedom = _centred(np.asarray(styles, np.float64), labels)
    along = centred @ np.asarray(directions, np.float64).T
    return np.sqrt((along**2).sum(axis=0) / freedom).astype(np.float32)


def closed_form(kernels: Sequence[ArrayLike], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The directions that a generator's first linear maps of its latents or styles amplify most.

    Args:
        kernels: The kernel (size, outputs) of each such map: those of the affine maps of a
            generator with styles, else the first dense one.
        count: Number of directions.

    Returns:
        The directions, and their eigenvalues, (count,).

    Reference: Shen & Zhou 2021, SeFa, equation 6 (arXiv:2007.06600), each row of a map at unit norm
        as in the authors' code.
    """
    rows = np.concatenate([np.asarray(kernel, np.float64).T for kernel in kernels])
    _check_count(count, rows.shape[1])
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    order = np.argsort(-values)[:count]
    return _signed(vectors[:, order].T), values[order].astype(np.float32)


def mean_difference(styles: ArrayLike, labels: ArrayLike, start: int, end: int) -> np.ndarray:
    """The step from the mean style of one class to that of another, (size,); not of unit length.

    Args:
        styles: Styles or latents, (n, size).
        labels: Class of the image of each, (n,), such as a classifier's.
        start: Class to leave.
        end: Class to reach.
    """
    rows, classes = np.asarray(styles, np.float64), np.asarray(labels)
    _check_classes(classes, len(rows))
    for one in (start, end):
        if not (classes == one).any():
            raise ValueError(f"labels must hold the classes {start} and {end}, got no {one}.")
    step = rows[classes == end].mean(axis=0) - rows[classes == start].mean(axis=0)
    return step.astype(np.float32)


def _centred(rows: np.ndarray, labels: ArrayLike | None) -> tuple[np.ndarray, int]:
    """Styles less the mean of their class, and by what their squares are divided."""
    classes = np.zeros(len(rows), int) if labels is None else np.asarray(labels)
    _check_classes(classes, len(rows))
    centred, groups = np.empty_like(rows), np.unique(classes)
    for one in groups:
        centred[classes == one] = rows[classes == one] - rows[classes == one].mean(axis=0)
    if labels is not None and len(groups) == len(rows):
        raise ValueError(
            f"styles must be more than their classes, got {len(rows)} of {len(groups)}: "
            "one of a class does not vary."
        )
    return centred, max(len(rows) - len(groups), 1)


def _check_count(count: int, size: int) -> None:
    if not 1 <= count <= size:
        raise ValueError(f"count must be in [1, {size}], got {count}.")


def _check_classes(classes: np.ndarray, n: int) -> None:
    if classes.shape != (n,):
        raise ValueError(f"labels must have the shape ({n},), got {classes.shape}.")


def _signed(directions: np.ndarray) -> np.ndarray:
    """Each with its largest entry positive, as the sign of an eigenvector is by chance."""
    largest = np.argmax(np.abs(directions), axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return (directions * signs[:, None]).astype(np.float32)
