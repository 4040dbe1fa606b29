"""What compares patches of images by the features of a generator."""

from collections.abc import Sequence

import keras
from keras import layers

_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}


def patch_projector(channels: Sequence[int], *, width: int = 256) -> keras.Model:
    """Two dense layers for each depth of a generator, whose results have length 1.

    Args:
        channels: How many channels the features of each depth have.
        width: Length of what it gives.

    Returns:
        A functional model of features (batch, places, channels) for each depth to vectors (batch,
        places, width) for each.

    Reference:
        Park et al. 2020, section 3 (arXiv:2007.15651).
    """
    inputs, outputs = [], []
    for number, count in enumerate(channels):
        features = keras.Input((None, count), name=f"depth_{number}")
        hidden = layers.Dense(width, "relu", kernel_initializer=_INITIALIZER)(features)
        vectors = layers.Dense(width, kernel_initializer=_INITIALIZER, dtype="float32")(hidden)
        inputs.append(features)
        outputs.append(layers.UnitNormalization(dtype="float32")(vectors))
    return keras.Model(inputs, outputs, name="patch_projector")
