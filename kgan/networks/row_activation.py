"""From a generator's raw outputs to encoded rows: tanh for places, a softmax for one-hot parts."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def activate(
    raw: tf.Tensor,
    uniform: tf.Tensor,
    sizes: Sequence[int],
    one_hot: Sequence[bool],
    temperature: float,
) -> tf.Tensor:
    """Encoded rows through which a gradient flows.

    Args:
        raw: float32 (n, size).
        uniform: Draws from (0, 1) of the same shape; those of places are not used.
        sizes: Length of each part of a row, in order.
        one_hot: Of each part whether it is a one-hot vector: then it becomes
            softmax((raw + Gumbel noise) / temperature); else tanh(raw).
        temperature: Above 0; the lower, the nearer to one-hot.

    Reference: Jang et al. 2017, equation 2 (arXiv:1611.01144).
    """
    noisy = tf.split((raw + gumbel(uniform)) / temperature, sizes, axis=1)
    places = tf.split(tf.tanh(raw), sizes, axis=1)
    parts = [
        tf.nn.softmax(noise) if soft else place
        for noise, place, soft in zip(noisy, places, one_hot, strict=True)
    ]
    return tf.concat(parts, axis=1)


def draw(
    raw: tf.Tensor, uniform: tf.Tensor, sizes: Sequence[int], one_hot: Sequence[bool]
) -> tf.Tensor:
    """What `activate` tends to as its temperature falls, before the greatest value is taken.

    The greatest value of each one-hot part lies at a draw from softmax(raw), by the Gumbel noise.
    Arguments as for `activate`.
    """
    soft = tf.repeat(tf.constant(one_hot), sizes)
    return tf.where(soft, raw + gumbel(uniform), tf.tanh(raw))


def draw_parts(
    raw: tf.Tensor, uniform: tf.Tensor, sizes: Sequence[int], one_hot: Sequence[bool]
) -> tf.Tensor:
    """As `draw`, with one draw for each part in place of one for each value.

    Each one-hot part becomes a draw from softmax(raw), by the inverse of its distribution function.
    Arguments as for `activate`, but `uniform` is (n, parts).
    """
    found = []
    # Below 1 by more than sums of float32 are rounded: something is always reached.
    below = tf.clip_by_value(uniform, 0.0, 1.0 - 2.0**-16)
    for part, (logits, size, hot) in enumerate(
        zip(tf.split(raw, sizes, axis=1), sizes, one_hot, strict=True)
    ):
        if not hot:
            found.append(tf.tanh(logits))
            continue
        shares = tf.nn.softmax(logits)
        # A product, as it takes a tenth of a cumulative sum's time.
        reached = tf.matmul(shares, np.triu(np.ones((size, size), np.float32)))
        # The first that is reached; what cannot be has a share of exactly 0.
        able = (reached > below[:, part, None] * reached[:, -1:]) & (shares > 0.0)
        found.append(tf.one_hot(tf.argmax(tf.cast(able, tf.uint8), axis=1), size))
    return tf.concat(found, axis=1)


def gumbel(uniform: tf.Tensor) -> tf.Tensor:
    """Draws from the standard Gumbel distribution, of draws from (0, 1).

    They are kept away from 0 and 1, where the result would be infinite.
    """
    inside = tf.clip_by_value(uniform, 1e-7, 1.0 - 1e-7)
    return -tf.math.log(-tf.math.log(inside))
