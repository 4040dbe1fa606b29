"""Chooses the rows of a data set for each step, as pure functions of (seed, step).

A stream of batches can therefore start at any step, and a resumed run sees the same batches as an
uninterrupted one.
"""

from collections.abc import Callable, Sequence

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
        batch_size: Number of rows in a step.
        seed: Seed of the order, an int.
        drop_last: Whether a pass leaves out its last, incomplete batch. Otherwise a batch may
            continue into the next pass, and may be larger than the data.
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
    """Takes every class equally often, whatever its share, with shuffled passes for each class.

    The places of a step are shuffled too, so that neighbours are of one class as often as any two
    rows: what a replica or a half-step gets of a step is balanced on average alone.

    Args:
        labels: Class numbers, int (n,); a class without rows is left out.
        batch_size: Number of rows in a step.
        seed: Seed of the order, an int.
    """
    seed = kgan.random.check_seed(seed)
    classes, counts = np.unique(labels, return_counts=True)
    by_class = tf.constant(np.argsort(labels, kind="stable"), tf.int64)
    starts = tf.constant(np.cumsum(counts) - counts, tf.int64)
    sizes = tf.constant(counts, tf.int64)

    def rows(step: tf.Tensor) -> tf.Tensor:
        places = tf.range(batch_size, dtype=tf.int64)
        places = _shuffle(places, seed, tf.fill([batch_size], step), batch_size)
        positions = step * batch_size + places
        which, number = positions % len(classes), positions // len(classes)
        size = tf.gather(sizes, which)
        # Two classes of equal size must not get the same order.
        passes = number // size * len(classes) + which
        return tf.gather(
            by_class, tf.gather(starts, which) + _shuffle(number % size, seed, passes, size)
        )

    return rows


def weighted(labels: np.ndarray, weights: np.ndarray, batch_size: int, *, seed: int = 0) -> Order:
    """Draws each row with a probability in proportion to the weight of its class.

    Args:
        labels: Class numbers, int (n,).
        weights: Of each class, (classes,), at least 0; some class with rows has one above 0.
        batch_size: Number of rows in a step.
        seed: Seed of the draws, an int.
    """
    seed = kgan.random.check_seed(seed)
    shares = np.asarray(weights, np.float64)[labels]
    bounds = tf.constant(np.cumsum(shares / shares.sum())[:-1])

    def rows(step: tf.Tensor) -> tf.Tensor:
        place = kgan.random.step_seed(seed, step, "weighted row")
        # Two draws side by side: one of float32 would never reach most rows of a large set.
        high, low = tf.unstack(kgan.random.stateless_uniform(place, [2, batch_size]))
        drawn = (
            tf.floor(tf.cast(high, tf.float64) * 2.0**23) + tf.cast(low, tf.float64)
        ) * 2.0**-23
        return tf.cast(tf.searchsorted(bounds, drawn, side="right"), tf.int64)

    return rows


def by_category(
    codes: Sequence[np.ndarray], sizes: Sequence[int], batch_size: int, *, seed: int = 0
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Rows for categories that are drawn by the logarithm of their frequency: rare ones come too.

    For each place of a batch a column is drawn, all alike; then one of its categories, with a
    probability proportional to log(count + 1); then one of the rows that have it, all alike.

    Args:
        codes: For each column the numbers of the rows' categories, int (n,).
        sizes: For each column how many categories it has.
        batch_size: Rows in a step.
        seed: Seed of the draws.

    Returns:
        A function from a step to (rows int64 (batch,), categories int32 (batch,)); categories are
        numbered through all columns.

    Reference: Xu et al. 2019, section 4.3 (arXiv:1907.00503), training by sampling.
    """
    seed = kgan.random.check_seed(seed)
    counts = [np.bincount(one, minlength=size) for one, size in zip(codes, sizes, strict=True)]
    weights = [np.log(one + 1.0) for one in counts]
    shares = np.concatenate([one / one.sum() / len(codes) for one in weights])
    bounds = tf.constant(np.cumsum(shares)[:-1])
    by_code = tf.constant(np.concatenate([np.argsort(one, kind="stable") for one in codes]))
    all_counts = np.concatenate(counts)
    starts = tf.constant(np.cumsum(all_counts) - all_counts)

    def rows(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        draws = kgan.random.stateless_uniform(
            kgan.random.step_seed(seed, step, "category"), [batch_size]
        )
        categories = tf.searchsorted(bounds, tf.cast(draws, tf.float64), side="right")
        bits = tf.random.stateless_uniform(
            [batch_size], kgan.random.step_seed(seed, step, "row"), None, None, tf.uint32, "philox"
        )
        count = tf.gather(tf.constant(all_counts), categories)
        place = tf.gather(starts, categories) + tf.cast(bits, tf.int64) % count
        return tf.gather(by_code, place), categories

    return rows


def poisson(
    n: int, rate: float, capacity: int, *, key: tf.Tensor
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Takes each row in each step with probability `rate`, independently of all others.

    Privacy accountants assume this sampling. A batch is padded to a fixed shape. If more than
    `capacity` rows are drawn, a random choice of them is left out.

    Args:
        n: Number of rows.
        rate: Probability of each row, in (0, 1].
        capacity: Length of the padded batch.
        key: Seed of the draws, int32 (2,). Privacy needs one that nobody can guess.

    Returns:
        A function from a step to (rows int64 (capacity,), mask bool (capacity,)). In padded places
        the mask is false and the row is 0.
    """
    if not 0.0 < rate <= 1.0:
        raise ValueError(f"rate must be in (0, 1], got {rate}.")
    if not 1 <= capacity <= n:
        raise ValueError(f"capacity must be in [1, {n}], the number of rows, got {capacity}.")

    def rows(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        place = tf.random.fold_in(key, tf.cast(step, tf.int32), alg="philox")
        draws = kgan.random.stateless_uniform(place, [n])
        least, chosen = tf.math.top_k(-draws, capacity)
        taken = -least < rate
        return tf.where(taken, tf.cast(chosen, tf.int64), 0), taken

    return rows


def apart(first: int, second: int, batch_size: int, *, seed: int = 0) -> tuple[Order, Order]:
    """Orders two sets of rows independently, so that no pair of rows stays together.

    Args:
        first: Number of rows of the first set.
        second: Number of rows of the second set; the smaller set has more passes.
        batch_size: Number of rows of each set in a step.
        seed: Seed of both orders, an int.
    """
    other = (kgan.random.check_seed(seed) + 1) % kgan.random.MAX_SEED
    return (
        shuffled(first, batch_size, seed=seed, drop_last=False),
        shuffled(second, batch_size, seed=other, drop_last=False),
    )


def _shuffle(places: tf.Tensor, seed: int, passes: tf.Tensor, n: int | tf.Tensor) -> tf.Tensor:
    """The row at each place of a pass over `n` rows, by the permutation of that pass."""
    # `tf.random.experimental.index_shuffle` puts this word before a seed of two, and takes one seed
    # only; the operation below it takes one for each place.
    words = [tf.fill(tf.shape(passes), tf.constant(word, tf.int64)) for word in (_WORD, seed)]
    return tf.raw_ops.RandomIndexShuffle(
        index=places,
        seed=tf.cast(tf.stack([*words, passes], axis=-1), tf.int32),
        max_index=tf.broadcast_to(tf.cast(n, tf.int64) - 1, tf.shape(places)),
        rounds=4,
    )
