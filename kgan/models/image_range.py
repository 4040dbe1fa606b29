"""Checks inside a step that images are in [0, 1], where the check costs nothing."""

from typing import Any

import keras
import tensorflow as tf

from kgan.models.batches import require, unpacked


def check_range(images: tf.Tensor) -> tf.Tensor:
    """The same images, checked where a graph runs.

    Raises:
        ValueError: For images outside of [0, 1]; in a graph, when it runs, an assertion of the same
            words, see `kgan.models.batches.require`.
    """
    low, high = tf.reduce_min(images), tf.reduce_max(images)
    return require(
        images,
        (low >= 0.0) & (high <= 1.0),
        "images must lie in [0, 1]. Rescale them, and put any normalisation inside the model; got",
        low,
        "to",
        high,
    )


def check_float(images: Any) -> tf.Tensor:
    """Images as a float32 tensor; raises `ValueError` for other types than floats."""
    images = tf.convert_to_tensor(images)
    if not images.dtype.is_floating:
        raise ValueError(
            f"images must be float32 in [0, 1], got {images.dtype.name}. "
            "Convert them, or feed them with kgan.data.feed."
        )
    return tf.cast(images, tf.float32)


def with_checked_images(data: Any) -> Any:
    """A batch of `evaluate` or `predict`, whose images are floats in [0, 1]."""
    images, labels, sample_weight = unpacked(data)
    images = check_range(check_float(images))
    return keras.utils.pack_x_y_sample_weight(images, labels, sample_weight)
