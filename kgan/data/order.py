"""Which rows of a data set a step sees, as pure functions of (seed, step).

A stream of batches can therefore be entered at any step, and a resumed run sees what the
uninterrupted one would have seen.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

import kgan.random

_WORD = 1498247692
Order = Callable[[tf.Tensor], tf.Tensor]
"""From a step, an int64 scalar, to the row numbers of its batch, int64 (batch,)."""


def shuffled(n: int, batch_size: int, *, seed: int = 0, drop_last: bool = True) -> Order:
    """Each pass takes every row once, in an order that is a function of (seed, pass).

    Args:
        n: Number of rows.
        batch_size: Rows in a step.
        seed: Seed of the order.
        drop_last: Whether a pass leaves out its last, incomplete batch; otherwise the passes
            follow each other without a gap, which also serves a batch larger than the data.
    """
    seed = kgan.random.check_seed(seed)
    per_pass = n // batch_size * batch_size if drop_last else n
    if per_pass == 0:
        raise ValueError(f"batch_size must be at most the {n} rows, got {batch_size}.")

    def rows(step: tf.Tensor) -> tf.Tensor:
        positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        return _shuffle(positions % per_pass, seed, positions // per_pass, n)

    return rows


def balanced(labels: np.ndarray, batch_size: int, *, seed: int = 0) -> Order:
    """Every class equally often, whatever its share; each class in shuffled passes of its own.

    Args:
        labels: int (n,), class numbers; a class without rows is left out.
        batch_size: Rows in a step.
        seed: Seed of the order.
    """
    seed = kgan.random.check_seed(seed)
    classes, counts = np.unique(labels, return_counts=True)
    by_class = tf.constant(np.argsort(labels, kind="stable"), tf.int64)
    starts = tf.constant(np.cumsum(counts) - counts, tf.int64)
    sizes = tf.constant(counts, tf.int64)

    def rows(step: tf.Tensor) -> tf.Tensor:
        positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        which, number = positions % len(classes), positions // len(classes)
        size = tf.gather(sizes, which)
        # Classes of one size must not be in step.
        passes = number // size * len(classes) + which
        return tf.gather(
            by_class, tf.gather(starts, which) + _shuffle(number % size, seed, passes, size)
        )

    return rows


def poisson(n: int, rate: float, capacity: int, *, seed: int = 0) -> Callable:
    """Every row takes part in a step with probability `rate`, independently of all else.

    The sampling that accountants of differential privacy assume. A batch has a fixed shape, so it
    is padded; where more than `capacity` rows are drawn, those of the largest draws are left out.

    Args:
        n: Number of rows.
        rate: Probability of a row, in (0, 1].
        capacity: Length of the padded batch.
        seed: Seed of the draws.

    Returns:
        A function from a step to (rows int64 (capacity,), mask bool (capacity,)); the row of a
        place that is not taken is 0.
    """
    seed = kgan.random.check_seed(seed)
    if not 0.0 < rate <= 1.0:
        raise ValueError(f"rate must be in (0, 1], got {rate}.")
    if not 1 <= capacity <= n:
        raise ValueError(f"capacity must be in [1, {n}], the number of rows, got {capacity}.")

    def rows(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        draws = kgan.random.stateless_uniform(kgan.random.step_seed(seed, step, "poisson"), [n])
        least, chosen = tf.math.top_k(-draws, capacity)
        taken = -least < rate
        return tf.where(taken, tf.cast(chosen, tf.int64), 0), taken

    return rows


def apart(first: int, second: int, batch_size: int, *, seed: int = 0) -> tuple[Order, Order]:
    """Two sets of rows, each in its own order, so that no two rows stay together.

    Args:
        first: Rows of the first set.
        second: Rows of the second; the passes of the smaller set begin more often.
        batch_size: Rows of each in a step.
        seed: Seed of both orders.
    """
    other = (kgan.random.check_seed(seed) + 1) % kgan.random.MAX_SEED
    return (
        shuffled(first, batch_size, seed=seed, drop_last=False),
        shuffled(second, batch_size, seed=other, drop_last=False),
    )


def _shuffle(places: tf.Tensor, seed: int, passes: tf.Tensor, n: int | tf.Tensor) -> tf.Tensor:
    """Where each place of a pass over `n` rows is sent by that pass's permutation."""
    # `tf.random.experimental.index_shuffle` puts this word before a seed of two, and takes one seed
    # only; the operation below it takes one for each place.
    words = [tf.fill(tf.shape(passes), tf.constant(word, tf.int64)) for word in (_WORD, seed)]
    return tf.raw_ops.RandomIndexShuffle(
        index=places,
        seed=tf.cast(tf.stack([*words, passes], axis=-1), tf.int32),
        max_index=tf.broadcast_to(tf.cast(n, tf.int64) - 1, tf.shape(places)),
        rounds=4,
    )
