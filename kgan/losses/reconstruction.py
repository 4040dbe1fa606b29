"""Distances between two batches of samples, for each sample."""

from collections.abc import Callable

import tensorflow as tf

from kgan.losses.reduction import per_sample


def l1(samples: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The mean absolute difference of a value; shapes (batch, ...) to (batch,)."""
    return per_sample(tf.abs(samples - others))


def l2(samples: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The mean squared difference of a value; shapes (batch, ...) to (batch,)."""
    return per_sample(tf.square(samples - others))


def charbonnier(samples: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The mean of a distance that is squared near 0 and absolute far from it; to (batch,).

    Reference: Lai et al. 2017, section 3.2 (arXiv:1704.03915), with its epsilon of 0.001.
    """
    return per_sample(tf.sqrt(tf.square(samples - others) + 1e-6))


DISTANCES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "l1": l1,
    "mse": l2,
    "charbonnier": charbonnier,
}
"""Distances of values, by name."""
