"""Points on the way between two latents."""

import tensorflow as tf


def linear(start: tf.Tensor, end: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """The point `share` of the way along the straight line; shapes (n, d), (n, d), (n,)."""
    share = share[:, None]
    return (1.0 - share) * start + share * end


def spherical(start: tf.Tensor, end: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """The point `share` of the way along the great circle; shapes (n, d), (n, d), (n,).

    Its length goes linearly from the start's to the end's, so a Gaussian latent stays typical.

    Reference: Shoemake 1985, "Animating rotation with quaternion curves"; for latents: White 2016
    (arXiv:1609.04468).
    """
    start_length = tf.norm(start, axis=1, keepdims=True)
    end_length = tf.norm(end, axis=1, keepdims=True)
    start_unit = start / tf.maximum(start_length, 1e-12)
    end_unit = end / tf.maximum(end_length, 1e-12)
    cosine = tf.reduce_sum(start_unit * end_unit, axis=1, keepdims=True)
    angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
    share = share[:, None]
    # Where the two nearly coincide the line and the circle do too.
    parallel = tf.sin(angle) < 1e-6
    divisor = tf.where(parallel, 1.0, tf.sin(angle))
    start_part = tf.where(parallel, 1.0 - share, tf.sin((1.0 - share) * angle) / divisor)
    end_part = tf.where(parallel, share, tf.sin(share * angle) / divisor)
    length = (1.0 - share) * start_length + share * end_length
    return (start_part * start_unit + end_part * end_unit) * length


INTERPOLATIONS = {"linear": linear, "spherical": spherical}
