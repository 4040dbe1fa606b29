"""Nearest neighbours and balls, computed in tiles, so that memory never holds an (n, n) matrix.

Tiles are searched by |x|^2 + |y|^2 - 2 x·y in float64, on data centred at their common mean. That
form rounds, so equal rows come out a little apart. What is returned or decided is therefore the sum
of squared differences itself: of the neighbours that were found, and of each pair that the rounding
could put on the wrong side of a border. Ties, as between samples that coincide, stay ties.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

ROWS, COLUMNS = 1000, 4000
PAIRS = 2**21  # numbers at once, where pairs are computed one by one

# One trace for all sizes.
_ROWS, _ROW = tf.TensorSpec([None, None], tf.float64), tf.TensorSpec([None], tf.float64)
_WHOLE = tf.TensorSpec([], tf.int32)


class Neighbours(NamedTuple):
    """int64 `indices` and float64 `squared` distances, both (n, k), nearest first."""

    indices: np.ndarray
    squared: np.ndarray

    @property
    def distances(self) -> np.ndarray:
        """float64 (n, k). Compare `squared` ones: a root can make two numbers one."""
        return np.sqrt(self.squared)


class Balls(NamedTuple):
    """How many balls hold each point (m,), and whether each ball holds any (n,)."""

    counts: np.ndarray
    occupied: np.ndarray


def nearest(queries: np.ndarray, points: np.ndarray, *, k: int = 1) -> Neighbours:
    """The k points nearest to each query, by Euclidean distance.

    Args:
        queries: (n, d).
        points: (m, d), m >= k.
        k: Number of neighbours. Where queries are points, each finds itself or its equal first.
    """
    return _nearest(queries, points, k, exclude_self=False)


def nearest_in_parts(queries: np.ndarray, parts: Iterable[np.ndarray], *, k: int = 1) -> Neighbours:
    """Same as `nearest`, but only a part of the points is in memory at a time.

    Args:
        queries: (n, d).
        parts: The points in consecutive parts, each (m, d); `indices` count through all of them.
        k: Number of neighbours; all points where there are fewer.
    """
    best = Neighbours(np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0)))
    start = 0
    for part in parts:
        found = nearest(queries, part, k=min(k, len(part)))
        indices = np.concatenate([best.indices, found.indices + start], axis=1)
        squared = np.concatenate([best.squared, found.squared], axis=1)
        order = np.argsort(squared, axis=1, kind="stable")[:, :k]
        best = Neighbours(
            np.take_along_axis(indices, order, axis=1), np.take_along_axis(squared, order, axis=1)
        )
        start += len(part)
    return best


def nearest_others(points: np.ndarray, *, k: int = 1) -> Neighbours:
    """The k points nearest to each point among the others; equal points are others."""
    return _nearest(points, points, k, exclude_self=True)


def squared_radii(points: np.ndarray, *, k: int) -> np.ndarray:
    """The squared distance of each point to its k-th neighbour, itself not counted; (n,)."""
    return nearest_others(points, k=k).squared[:, -1]


def balls(
    centres: np.ndarray, squared_radius: np.ndarray, points: np.ndarray, *, closed: bool = True
) -> Balls:
    """Which points lie in which balls.

    Args:
        centres: (n, d).
        squared_radius: (n,), of each ball.
        points: (m, d).
        closed: Whether a ball holds its border (`<=`) or not (`<`).
    """
    centres, points = np.asarray(centres, np.float64), np.asarray(points, np.float64)
    limits, middle = np.asarray(squared_radius, np.float64), _middle(centres, points)
    counts, occupied = np.zeros(len(points), np.int64), np.zeros(len(centres), bool)
    for rows in _slices(len(points), ROWS):
        for columns in _slices(len(centres), COLUMNS):
            tile = _balls_tile(points[rows], centres[columns], middle, limits[columns])
            held, hit, doubtful = (part.numpy() for part in tile)
            counts[rows] += held
            occupied[columns] |= hit
            which, ball = doubtful[:, 0] + rows.start, doubtful[:, 1] + columns.start
            squared = _squared_of_pairs(points, which, centres, ball)
            inside = squared <= limits[ball] if closed else squared < limits[ball]
            counts += np.bincount(which[inside], minlength=len(counts))
            occupied[ball[inside]] = True
    return Balls(counts, occupied)


def _nearest(queries, points, k: int, *, exclude_self: bool) -> Neighbours:
    available = len(points) - exclude_self
    if not 1 <= k <= available:
        raise ValueError(
            f"k must be in [1, {available}] for {len(points)} samples, got {k}. "
            "Lower k or give more samples."
        )
    queries, points = np.asarray(queries, np.float64), np.asarray(points, np.float64)
    middle = _middle(queries, points)
    indices = np.empty((len(queries), k), np.int64)
    for rows in _slices(len(queries), ROWS):
        found = []
        for columns in _slices(len(points), COLUMNS):
            # Where the diagonal runs through this tile; beyond it, nothing is excluded.
            diagonal = rows.start - columns.start if exclude_self else COLUMNS
            values, which = _nearest_tile(queries[rows], points[columns], middle, diagonal, k)
            found.append((values.numpy(), which.numpy() + columns.start))
        estimate = np.concatenate([part[0] for part in found], axis=1)
        which = np.concatenate([part[1] for part in found], axis=1)
        order = np.argsort(estimate, axis=1, kind="stable")[:, :k]
        indices[rows] = np.take_along_axis(which, order, axis=1)
    own = np.repeat(np.arange(len(queries)), k)
    squared = _squared_of_pairs(queries, own, points, indices.ravel()).reshape(indices.shape)
    order = np.argsort(squared, axis=1, kind="stable")
    return Neighbours(
        np.take_along_axis(indices, order, axis=1), np.take_along_axis(squared, order, axis=1)
    )


def _squared_of_pairs(x: np.ndarray, i: np.ndarray, y: np.ndarray, j: np.ndarray) -> np.ndarray:
    """|x_i - y_j|^2 for each pair of (i, j), alike in every call and either order."""
    squared = np.empty(len(i))
    for part in _slices(len(i), max(PAIRS // x.shape[1], 1)):
        squared[part] = ((x[i[part]] - y[j[part]]) ** 2).sum(axis=1)
    return squared


def _middle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first.mean(axis=0) + second.mean(axis=0)) / 2


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _norms(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(x * x, axis=1)


@tf.function(autograph=False, input_signature=[_ROWS, _ROWS, _ROW, _WHOLE, _WHOLE])
def _nearest_tile(x: tf.Tensor, y: tf.Tensor, middle: tf.Tensor, diagonal: tf.Tensor, k: tf.Tensor):
    x, y = x - middle, y - middle
    # Nearer is larger; |x|^2 is the same for all of a row.
    nearness = tf.matmul(2.0 * x, y, transpose_b=True) - _norms(y)
    own = tf.range(tf.shape(x)[0])[:, None] + diagonal == tf.range(tf.shape(y)[0])
    nearness = tf.where(own, tf.constant(-np.inf, nearness.dtype), nearness)
    values, indices = tf.math.top_k(nearness, k=tf.minimum(k, tf.shape(y)[0]))
    return -values, tf.cast(indices, tf.int64)


@tf.function(autograph=False, input_signature=[_ROWS, _ROWS, _ROW, _ROW])
def _balls_tile(x: tf.Tensor, y: tf.Tensor, middle: tf.Tensor, limits: tf.Tensor):
    """Counts and hits of the pairs that are inside for certain, and the pairs in doubt."""
    x, y = x - middle, y - middle
    x_norms, y_norms = _norms(x), _norms(y)
    gap = x_norms[:, None] + (y_norms - limits) - tf.matmul(2.0 * x, y, transpose_b=True)
    # A bound of the error of sums of d products, Higham 2002, eq. 3.5, with room to spare.
    largest = tf.reduce_max(x_norms) + tf.reduce_max(y_norms) + tf.reduce_max(limits)
    error = tf.cast(2 * tf.shape(x)[1] + 16, x.dtype) * np.finfo(np.float64).eps * largest
    inside = gap < -error
    doubtful = tf.where(tf.abs(gap) <= error)
    return tf.math.count_nonzero(inside, axis=1), tf.reduce_any(inside, axis=0), doubtful
