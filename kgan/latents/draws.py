"""Latent vectors of requests: a function of their seeds, and nearer to the middle."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.latents import philox
from kgan.random import check_seed, uniform_of_bits

# Values that a processor takes at once; what is left over at a tensor's end it rounds otherwise, so
# without whole rows of these a latent would depend on where it lies in its batch.
_WHOLE = 16


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
    return tf.range(start, start + int(n), dtype=tf.int64) + (check_seed(seed) << 32)


@tf.function(reduce_retracing=True, autograph=False)
def from_seeds(seeds: tf.Tensor, latent_dim: int) -> tf.Tensor:
    """One latent vector for each seed, whatever the other seeds in the batch are.

    Args:
        seeds: int64 tensor of shape (batch,).
        latent_dim: Length of a latent vector.

    Returns:
        float32 tensor of shape (batch, latent_dim) from N(0, 1).
    """
    bits = philox.bits_of(tf.cast(seeds, tf.int64), -(-latent_dim // _WHOLE) * _WHOLE)
    return tf.math.ndtri(uniform_of_bits(bits))[:, :latent_dim]


def truncated(latents: tf.Tensor, limit: float) -> tf.Tensor:
    """Latents from N(0, 1) as ones from N(0, 1) within [-limit, limit].

    The map keeps the order of values, so a latent's truncations are alike. Images of near latents
    are more typical, and less diverse.

    Args:
        latents: (n, latent_dim).
        limit: The largest absolute value, above 0.

    Reference: the "truncation trick" of Brock et al. 2019, section 3.1 (arXiv:1809.11096).
    """
    if not limit > 0:
        raise ValueError(f"the truncation of latents must be above 0, got {limit:g}.")
    latents = tf.cast(latents, tf.float32)
    inside = tf.math.erf(tf.cast(limit, tf.float32) * 2.0**-0.5)
    # In the lower half alone, where float32 resolves small probabilities.
    lower = 0.5 * tf.math.erfc(tf.abs(latents) * 2.0**-0.5)
    moved = 0.5 - inside * (0.5 - lower)
    return tf.sign(latents) * tf.minimum(-tf.math.ndtri(moved), limit)


def check_truncates(decode: Callable[[tf.Tensor], Any], latents: tf.Tensor) -> None:
    """Raises `ValueError` where only the latents' direction counts, which truncation leaves.

    A generator that normalises latents together with an embedding of the class, as that of networks
    progan does, is no such one: shorter latents leave more to the class. Trained to digits it is
    narrowed as others are, and with limits from 2 to 0.5 more samples are of their class; before it
    has learnt, while the embedding is short, it takes far smaller limits.

    Args:
        decode: Function of latents (n, latent_dim) to samples.
        latents: Some of them, of which the first one is tried.
    """
    one = tf.cast(latents[:1], tf.float32)
    if len(latents) and np.allclose(decode(one), decode(0.5 * one), atol=1e-4):
        raise ValueError(
            "truncation must be left out for this model: its generator normalises latents alone, "
            "as that of networks progan without classes does, or makes one sample of all."
        )
