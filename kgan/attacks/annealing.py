"""Step sizes that fall along half a cosine."""

import math

import tensorflow as tf


def annealed(
    i: tf.Tensor, steps: tf.Tensor | int, first: tf.Tensor | float, last: tf.Tensor | float
) -> tf.Tensor:
    """The value at step i of `steps`, from `first` at step 0 towards `last`, a scalar."""
    share = tf.cast(i, tf.float32) / tf.cast(steps, tf.float32)
    return last + (first - last) * 0.5 * (1.0 + tf.cos(math.pi * share))
