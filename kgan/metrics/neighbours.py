"""Nearest neighbours and balls, by tiles, so that no (n, n) matrix is ever held.

Distances are float64: squared ones come as |x|^2 + |y|^2 - 2 x·y on data centred at their common
mean, clamped at 0. In float32 that form loses all digits below about 3e-4 of the norm, and a radius
would no longer equal the distance it was taken from.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

ROWS, COLUMNS = 2000, 8000


class Neighbours(NamedTuple):
    """int64 `indices` and float64 `distances`, both (n, k), nearest first."""

    indices: np.ndarray
    distances: np.ndarray


class Balls(NamedTuple):
    """How many balls hold each point (m,), and whether each ball holds any (n,)."""

    counts: np.ndarray
    occupied: np.ndarray


def nearest(queries: np.ndarray, points: np.ndarray, *, k: int = 1) -> Neighbours:
    """The k points nearest to each query, by Euclidean distance.

    Args:
        queries: (n, d).
        points: (m, d), m >= k.
        k: Number of neighbours. Where queries are points, each finds itself first.
    """
    return _nearest(queries, points, k, exclude_self=False)


def nearest_others(points: np.ndarray, *, k: int = 1) -> Neighbours:
    """The k points nearest to each point among the others; equal points are others."""
    return _nearest(points, points, k, exclude_self=True)


def radii(points: np.ndarray, *, k: int) -> np.ndarray:
    """The distance of each point to its k-th neighbour, itself not counted; float64 (n,)."""
    return nearest_others(points, k=k).distances[:, -1]


def balls(
    centres: np.ndarray, radius: np.ndarray, points: np.ndarray, *, closed: bool = True
) -> Balls:
    """Which points lie in which balls.

    Args:
        centres: (n, d).
        radius: (n,) of each ball.
        points: (m, d).
        closed: Whether a ball holds its border (`<=`) or not (`<`).
    """
    centres, points = _centred(centres, points)
    limits = np.asarray(radius, np.float64) ** 2
    counts, occupied = np.zeros(len(points), np.int64), np.zeros(len(centres), bool)
    for rows in _slices(len(points), ROWS):
        for columns in _slices(len(centres), COLUMNS):
            held, hit = _balls_tile(points[rows], centres[columns], limits[columns], closed)
            counts[rows] += held.numpy()
            occupied[columns] |= hit.numpy()
    return Balls(counts, occupied)


def _nearest(queries, points, k: int, *, exclude_self: bool) -> Neighbours:
    available = len(points) - exclude_self
    if not 1 <= k <= available:
        raise ValueError(
            f"k must be in [1, {available}] for {len(points)} samples, got {k}. "
            "Lower k or give more samples."
        )
    queries, points = _centred(queries, points)
    indices = np.empty((len(queries), k), np.int64)
    distances = np.empty((len(queries), k))
    for rows in _slices(len(queries), ROWS):
        found = []
        for columns in _slices(len(points), COLUMNS):
            # Where the diagonal runs through this tile; beyond it, nothing is excluded.
            diagonal = tf.constant(rows.start - columns.start if exclude_self else COLUMNS)
            found.append(_nearest_tile(queries[rows], points[columns], diagonal, k))
            found[-1] = (found[-1][0].numpy(), found[-1][1].numpy() + columns.start)
        squared = np.concatenate([part[0] for part in found], axis=1)
        which = np.concatenate([part[1] for part in found], axis=1)
        order = np.argsort(squared, axis=1, kind="stable")[:, :k]
        indices[rows] = np.take_along_axis(which, order, axis=1)
        distances[rows] = np.sqrt(np.take_along_axis(squared, order, axis=1))
    return Neighbours(indices, distances)


def _centred(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    middle = (first.mean(axis=0) + second.mean(axis=0)) / 2
    if first is second:
        first = second = first - middle
        return first, second
    return first - middle, second - middle


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _squared_distances(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    norms = tf.reduce_sum(x * x, axis=1)[:, None] + tf.reduce_sum(y * y, axis=1)
    return tf.maximum(norms - 2.0 * tf.matmul(x, y, transpose_b=True), 0.0)


@tf.function(reduce_retracing=True)
def _nearest_tile(x: tf.Tensor, y: tf.Tensor, diagonal: tf.Tensor, k: int):
    squared = _squared_distances(x, y)
    own = tf.range(tf.shape(x)[0])[:, None] + diagonal == tf.range(tf.shape(y)[0])
    squared = tf.where(own, tf.constant(np.inf, squared.dtype), squared)
    values, indices = tf.math.top_k(-squared, k=tf.minimum(k, tf.shape(y)[0]))
    return -values, tf.cast(indices, tf.int64)


@tf.function(reduce_retracing=True)
def _balls_tile(x: tf.Tensor, y: tf.Tensor, limits: tf.Tensor, closed: bool):
    squared = _squared_distances(x, y)
    inside = squared <= limits if closed else squared < limits
    return tf.math.count_nonzero(inside, axis=1), tf.reduce_any(inside, axis=0)
