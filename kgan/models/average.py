"""The moving average of a network's weights."""

import keras
import tensorflow as tf


def average_of(network: keras.Model) -> keras.Model:
    """A copy of the network with equal weights, not trainable, for `update_average`."""
    # Keras makes a layer anew from its configuration, but refuses to do so with a function in it.
    functions = any(isinstance(layer, keras.layers.Lambda) for layer in network.layers)
    average = keras.models.clone_model(network, clone_function=_copy if functions else None)
    average.set_weights(network.get_weights())
    average.trainable = False
    return average


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, keras.layers.Lambda):
        return layer  # It has no weights, so both networks may use it.
    return type(layer).from_config(layer.get_config())


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
