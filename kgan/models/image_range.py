"""Checks inside the training step that images are in [0, 1], where the check costs nothing."""

import tensorflow as tf


def check_range(images: tf.Tensor) -> tf.Tensor:
    """The same images, checked where a graph runs.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs on images outside of [0, 1].
    """
    inside = (tf.reduce_min(images) >= 0.0) & (tf.reduce_max(images) <= 1.0)
    message = "images must lie in [0, 1]. Rescale them, and put any normalisation inside the model."
    with tf.control_dependencies([tf.debugging.Assert(inside, [message])]):
        return tf.identity(images)
