"""How far networks that grow have come at a step: in phases that fade a size in, or settle it."""

import keras
import tensorflow as tf


def level_at(step: tf.Tensor, phase_steps: int) -> tf.Tensor:
    """The level of the networks at a step, a float32 scalar.

    The smallest map trains for a phase; then, for each doubling, one phase fades it in and one lets
    it settle.

    Args:
        step: Steps done so far.
        phase_steps: Steps in a phase.

    Reference: Karras et al. 2018, section 2 (arXiv:1710.10196).
    """
    phase = step // phase_steps
    done = tf.cast((phase + 1) // 2, tf.float32)
    inside = tf.cast(step % phase_steps, tf.float32) / phase_steps
    # In an odd phase the next size fades in.
    return tf.where(phase % 2 == 1, done - 1.0 + inside, done)


def grow(network: keras.Model, level: tf.Tensor) -> None:
    """Sets the level of all layers of a network that grow."""
    for layer in growing(network):
        layer.grow(level)


def growing(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a network that grow."""
    return [layer for layer in network._flatten_layers() if hasattr(layer, "grow")]
