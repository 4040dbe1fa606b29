"""The last layers that every generator and every discriminator shares, in float32."""

import keras
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
