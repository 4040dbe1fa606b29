"""Latent vectors for requests: from seeds, and between two others."""

import tensorflow as tf

from kgan.random import check_seed, stateless_normal


def example_seeds(seed: int, n: int, start: int = 0) -> tf.Tensor:
    """The per-example seeds of request `seed`: example i has the seed `seed * 2**32 + i`.

    Args:
        seed: The request's seed, in [0, 2**31 - 1].
        n: Number of examples.
        start: Number of the first one.

    Returns:
        int64 tensor of shape (n,), for `from_seeds` or an exported `generate` signature.

    Raises:
        ValueError: Where `n` is negative or no whole number, or `seed` is out of its range.
    """
    if n < 0 or n != int(n):
        raise ValueError(f"n must be a whole number of at least 0, got {n}.")
    return tf.range(start, start + n, dtype=tf.int64) + (check_seed(seed) << 32)


# A graph: run eagerly, the loop over examples takes a hundred times as long.
@tf.function(reduce_retracing=True)
def from_seeds(seeds: tf.Tensor, latent_dim: int) -> tf.Tensor:
    """One latent vector for each seed, whatever the other seeds in the batch are.

    Args:
        seeds: int64 tensor of shape (batch,).
        latent_dim: Length of a latent vector.

    Returns:
        float32 tensor of shape (batch, latent_dim) from N(0, 1).
    """

    def one(seed):
        return stateless_normal(tf.bitcast(seed, tf.int32), [latent_dim])

    return tf.map_fn(one, tf.cast(seeds, tf.int64), fn_output_signature=tf.float32)


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
