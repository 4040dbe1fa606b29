"""Random numbers for each example: a pure function of (seed, example, purpose, step).

An op with one seed for the whole batch would make an example's noise depend on its position and
on its neighbours. Here each number is hashed from the example's own key and the number's position
(a counter-based generator), so any batch split draws the same, and thousands of examples are drawn
by a handful of element-wise ops.

Reference: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011 (counter-based
generators); the mixing function is the finaliser of MurmurHash3.
"""

import math
import zlib
from collections.abc import Sequence

import tensorflow as tf


def _mix(words: tf.Tensor) -> tf.Tensor:
    words = tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, 16))
    words *= tf.constant(0x85EBCA6B, tf.uint32)
    words = tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, 13))
    words *= tf.constant(0xC2B2AE35, tf.uint32)
    return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, 16))


def _fold(key: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    # Mixed twice, because one round leaves keys that differ in one bit visibly correlated.
    return _mix(_mix(key + tf.constant(0x9E3779B9, tf.uint32)) + data)


def example_keys(seed: tf.Tensor | int, indices: tf.Tensor) -> tf.Tensor:
    """One random key for each example.

    Args:
        seed: The attack's seed, an int or scalar tensor.
        indices: int32 tensor of shape (batch,), each example's index in the data set.

    Returns:
        int32 tensor of shape (batch,).
    """
    key = _mix(tf.cast(seed, tf.uint32) + tf.constant(0x9E3779B9, tf.uint32))
    return tf.bitcast(_fold(key, tf.bitcast(indices, tf.uint32)), tf.int32)


def uniform(
    keys: tf.Tensor, shape: Sequence[int] | tf.Tensor, purpose: str, step: tf.Tensor | int = 0
) -> tf.Tensor:
    """Draws from U(0, 1), with both ends excluded.

    Args:
        keys: Keys that `example_keys` made.
        shape: Shape of one example's draw; a tensor where it is known only when the graph runs.
        purpose: What is drawn, so that two draws of one step differ.
        step: Step or restart; equal arguments give equal draws.

    Returns:
        float32 tensor of shape (batch, *shape).
    """
    is_known = not tf.is_tensor(shape)
    size = math.prod(shape) if is_known else tf.reduce_prod(shape)
    key = _fold(tf.bitcast(keys, tf.uint32), tf.constant(zlib.crc32(purpose.encode()), tf.uint32))
    key = _fold(key, tf.cast(step, tf.uint32))
    words = _fold(key[:, None], tf.cast(tf.range(size), tf.uint32)[None])
    # The top 23 bits, centred in their cell: every value is exact in float32 and inside (0, 1).
    bits = tf.cast(tf.bitwise.right_shift(words, 9), tf.float32)
    draws = (bits + 0.5) * 2.0**-23
    return tf.reshape(draws, [-1, *shape] if is_known else tf.concat([[-1], shape], axis=0))


def normal(
    keys: tf.Tensor, shape: Sequence[int] | tf.Tensor, purpose: str, step: tf.Tensor | int = 0
) -> tf.Tensor:
    """Draws from N(0, 1) by inverting the distribution function; arguments as for `uniform`."""
    return tf.math.ndtri(uniform(keys, shape, purpose, step))


def signs(
    keys: tf.Tensor, shape: Sequence[int] | tf.Tensor, purpose: str, step: tf.Tensor | int = 0
) -> tf.Tensor:
    """Draws -1 or 1 with equal probability; arguments as for `uniform`."""
    return tf.where(uniform(keys, shape, purpose, step) < 0.5, -1.0, 1.0)


def shape_of(images: tf.Tensor) -> Sequence[int] | tf.Tensor:
    """The shape of one image, as a tensor where it is known only when the graph runs."""
    shape = tf.TensorShape(images.shape)[1:]
    return tuple(shape) if shape.is_fully_defined() else tf.shape(images)[1:]
