"""The last layers that every generator and every discriminator shares, in float32."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from kgan.networks.conditional import Projection
from kgan.networks.spectral import SpectralDense


def to_images(features, *, name: str = "images") -> keras.KerasTensor:
    """Squashes a float32 feature map to [0, 1].

    Args:
        features: The map.
        name: Of the last layer, and so of the model's output.
    """
    features = layers.Activation("tanh", dtype="float32")(features)
    return layers.Rescaling(0.5, 0.5, dtype="float32", name=name)(features)


def to_logits(images, features, num_classes: int | None, spectral: bool) -> keras.Model:
    """Closes a discriminator: features (batch, channels) to float32 logits (batch,)."""
    if num_classes is None:
        dense = SpectralDense if spectral else layers.Dense
        inputs, logits = images, dense(1, dtype="float32")(features)
    else:
        labels = keras.Input((), dtype="int32", name="labels")
        inputs = [images, labels]
        logits = Projection(num_classes, spectral=spectral, dtype="float32")([features, labels])
    logits = layers.Reshape((), dtype="float32", name="logits")(logits)
    return keras.Model(inputs, logits, name="discriminator")


@keras.saving.register_keras_serializable(package="kgan")
class LinearImages(keras.layers.Layer):
    """What a network gives for [-1, 1] as images in [0, 1]: linear in training, clipped otherwise.

    For generators whose last layer is no tanh. The discriminator keeps their values in bounds.
    """

    def unclipped(self, inputs: Any) -> Any:
        """The images as they are in training, where every pixel has a gradient."""
        return 0.5 * inputs + 0.5

    def call(self, inputs: Any, training: bool = False) -> Any:
        images = self.unclipped(inputs)
        return images if training else tf.clip_by_value(images, 0.0, 1.0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
