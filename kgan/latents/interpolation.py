"""Points on the way between two latents."""

import tensorflow as tf

_LEAST = 1e-12


def linear(start: tf.Tensor, end: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """The point `share` of the way along the straight line; shapes (n, d), (n, d), (n,)."""
    share = share[:, None]
    return (1.0 - share) * start + share * end


def spherical(start: tf.Tensor, end: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """The point `share` of the way along the great circle; shapes (n, d), (n, d), (n,).

    Its length goes linearly from the start's to the end's, so a Gaussian latent stays typical. Of
    the many circles from a point to its opposite, one that does not depend on the share.

    Reference: Shoemake 1985, "Animating rotation with quaternion curves"; for latents: White 2016
    (arXiv:1609.04468).
    """
    start_length = tf.norm(start, axis=1, keepdims=True)
    end_length = tf.norm(end, axis=1, keepdims=True)
    start_unit = start / tf.maximum(start_length, _LEAST)
    end_unit = end / tf.maximum(end_length, _LEAST)
    cosine = tf.reduce_sum(start_unit * end_unit, axis=1, keepdims=True)
    aside = end_unit - cosine * start_unit
    sine = tf.norm(aside, axis=1, keepdims=True)
    angle = tf.atan2(sine, cosine)
    # What is left of rounding where they coincide or are opposites has no direction.
    least = tf.argmin(tf.abs(start_unit), axis=1)
    axis = tf.one_hot(least, start.shape[1], dtype=start_unit.dtype)
    aside = _perpendicular(tf.where(sine < 1e-6, axis, aside), start_unit)
    share = share[:, None]
    length = (1.0 - share) * start_length + share * end_length
    return (tf.cos(share * angle) * start_unit + tf.sin(share * angle) * aside) * length


def _perpendicular(vectors: tf.Tensor, units: tf.Tensor) -> tf.Tensor:
    """Of unit length, without what is along the units; (n, d) both."""
    vectors = vectors - tf.reduce_sum(vectors * units, axis=1, keepdims=True) * units
    return vectors / tf.maximum(tf.norm(vectors, axis=1, keepdims=True), _LEAST)


INTERPOLATIONS = {"linear": linear, "spherical": spherical}
