"""Changes of images within a ball around them."""

from typing import Any

import tensorflow as tf

from kgan.losses.fooling import euclidean

USUAL_RADII = {"linf": 0.3, "l2": 2.0, "l1": 10.0}
"""Radii in each norm for grey images of digits (Tramer and Boneh 2019, section 5): the default of
whatever takes a radius. Colour images need smaller ones, such as 8/255 in linf."""

_TINY = 1e-12


def usual_radius(epsilon: Any, norm: str) -> Any:
    """The radius that is given, or that of `USUAL_RADII` if it is `None`."""
    return USUAL_RADII[norm] if epsilon is None else epsilon


def bounded(raw: tf.Tensor, epsilon: tf.Tensor | float, norm: str) -> tf.Tensor:
    """Maps values in [-1, 1] to a change within the ball.

    Args:
        raw: Values (batch, ...) in [-1, 1].
        epsilon: Radius, a scalar or (batch,).
        norm: "linf", `epsilon * raw`; or "l2", where `raw` is put into the unit ball first.
    """
    epsilon = tf.convert_to_tensor(epsilon, raw.dtype)
    each = [-1] + [1] * (raw.shape.rank - 1)
    if norm == "l2":
        raw /= tf.reshape(tf.maximum(euclidean(raw), 1.0), each)
    return (epsilon if epsilon.shape.rank == 0 else tf.reshape(epsilon, each)) * raw


def within_ball(images: tf.Tensor, original: tf.Tensor, epsilon: tf.Tensor, norm: str) -> tf.Tensor:
    """Projects images exactly into the ball and into [0, 1], after rounding errors of `bounded`.

    Args:
        images: Images (batch, ...), outside of the ball at most by rounding errors.
        original: Centre of the ball, of the same shape.
        epsilon: Radius, (batch,).
        norm: "linf" or "l2".
    """
    radius = tf.reshape(epsilon, [-1] + [1] * (images.shape.rank - 1))
    if norm == "linf":
        images = tf.clip_by_value(images, original - radius, original + radius)
    else:
        change = images - original
        axes = list(range(1, images.shape.rank))
        length = tf.sqrt(tf.reduce_sum(tf.square(change), axis=axes, keepdims=True))
        images = original + change * tf.minimum(1.0, radius / tf.maximum(length, _TINY))
    return tf.clip_by_value(images, 0.0, 1.0)
