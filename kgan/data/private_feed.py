"""Feeds a data set as private training needs it: each record is in a step by a coin of its own."""

import numpy as np
import tensorflow as tf
from scipy import stats

import kgan.data.order
import kgan.random
from kgan.data.dataset import Dataset
from kgan.data.feed import reader

# A batch overflows with this probability in all steps of a training together, at most; what does
# not fit is left out. Deltas are far larger.
_OVERFLOW = 1e-10
_STEPS = 1e6


def private_feed(
    dataset: Dataset,
    batch_size: int,
    *,
    key: np.ndarray,
    draws: int = 1,
    start: int = 0,
    labels: bool = True,
    flip: bool = False,
    seed: int = 0,
) -> tf.data.Dataset:
    """An endless stream of Poisson samples: what `kgan.models.PrivateGAN` trains on.

    Each record is in a draw with the probability `batch_size / len(dataset)`, independently of all
    others; the accountants' guarantee is about this sampling, not about shuffled batches. A draw is
    padded to a fixed length. The stream is a function of the key and the step, so it can be entered
    anywhere.

    Args:
        dataset: A data set, for example from `kgan.data.load`.
        batch_size: Number of records to expect in a draw, from 1 to the number of records.
        key: Seed of the draws, int32 (2,); a `PrivateGAN` has one, `gan.key`.
        draws: Draws in a step, one for each discriminator half-step.
        start: Number of the first step, counted from 0.
        labels: Whether to give labels if the data set has any.
        flip: Whether each image is mirrored left to right with probability 1/2.
        seed: Seed of the flips, an int.

    Returns:
        A `tf.data.Dataset` of dicts: "samples" (rows, ...), float32 and images in [0, 1];
        "taken" bool (rows,), false for padding; and "labels" int (rows,). Row i belongs to draw
        i modulo `draws`.
    """
    n = len(dataset)
    if not 1 <= batch_size <= n:
        raise ValueError(
            f"batch_size must be between 1 and the {n} samples of {dataset.name}, got {batch_size}."
        )
    rate = batch_size / n
    length = capacity(n, rate)
    read = reader(dataset, seed=kgan.random.check_seed(seed), flip=flip)
    classes = tf.constant(dataset.labels) if labels and dataset.labels is not None else None
    draw = kgan.data.order.poisson(n, rate, length, key=tf.constant(key, tf.int32))

    def batch(step: tf.Tensor) -> dict[str, tf.Tensor]:
        drawn = [draw(step * draws + part) for part in range(draws)]
        rows, taken = (
            tf.reshape(tf.stack(parts, axis=1), [-1]) for parts in zip(*drawn, strict=True)
        )
        found = {"samples": read(step, rows), "taken": taken}
        return found if classes is None else {**found, "labels": tf.gather(classes, rows)}

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def capacity(n: int, rate: float) -> int:
    """Rows that a Poisson sample of `n` records is padded to: more are drawn as good as never."""
    if rate >= 1:
        return n
    most = int(stats.binom.isf(_OVERFLOW / _STEPS, n, rate)) + 1
    # Even numbers divide among replicas.
    return min(-(-most // 8) * 8, n)
