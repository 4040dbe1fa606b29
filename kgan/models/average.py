"""The moving average of a network's weights."""

from typing import Any

import keras
import tensorflow as tf

_MIXED = ("mixed_bfloat16", "mixed_float16")


def average_of(network: keras.Model) -> keras.Model:
    """A copy of the network with equal weights, not trainable, for `update_average`.

    It computes in float32, whatever mixed precision the network trains in: what is exported runs
    fast and alike on hardware of any kind, also where that for bfloat16 or float16 is missing.
    """
    outside = keras.config.dtype_policy()
    # That of layers which make others within them, and of the model itself.
    keras.config.set_dtype_policy("float32")
    try:
        average = keras.models.clone_model(network, clone_function=_copy)
    finally:
        keras.config.set_dtype_policy(outside)
    average.set_weights(network.get_weights())
    average.trainable = False
    return average


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, keras.layers.Lambda):
        # Keras refuses to make it anew, and it has no weights: both networks may use it.
        return layer
    return type(layer).from_config(_in_float32(layer.get_config()))


def _in_float32(config: Any) -> Any:
    """The configuration of a layer, and of those within it, without mixed precision."""
    if isinstance(config, dict):
        return {key: _in_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        # A named tuple takes its values one by one.
        values = [_in_float32(value) for value in config]
        return type(config)(*values) if hasattr(config, "_fields") else type(config)(values)
    return "float32" if isinstance(config, str) and config in _MIXED else config


def update_average(
    average: keras.Model, network: keras.Model, *, decay: float, step: tf.Tensor
) -> None:
    """Moves the average towards the network: weights and batch-norm statistics alike.

    Args:
        average: The averaged network, from `average_of`.
        network: The network that trains.
        decay: Share of the average that is kept, in [0, 1). It ramps up as
            min(decay, (1 + step) / (10 + step)), so that the first weights are soon forgotten.
        step: Number of steps trained so far, a scalar.
    """
    step = tf.cast(step, tf.float32)
    kept = tf.minimum(decay, (1.0 + step) / (10.0 + step))
    for mean, current in zip(average.variables, network.variables, strict=True):
        value = tf.convert_to_tensor(current)
        if value.dtype.is_floating:
            previous = tf.convert_to_tensor(mean)
            value = previous + tf.cast(1.0 - kept, value.dtype) * (value - previous)
        mean.assign(value)
