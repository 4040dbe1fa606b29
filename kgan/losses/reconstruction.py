"""Distances between two batches of samples, for each sample."""

import tensorflow as tf

from kgan.losses.reduction import per_sample


def l1(samples: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The mean absolute difference of a value; shapes (batch, ...) to (batch,)."""
    return per_sample(tf.abs(samples - others))


def l2(samples: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The mean squared difference of a value; shapes (batch, ...) to (batch,)."""
    return per_sample(tf.square(samples - others))
