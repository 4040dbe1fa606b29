"""The encoder that guesses the styles of an image, from which a projection starts."""

import keras
from keras import layers

from kgan.networks.equalized import EqualizedConv2D, EqualizedDense, FilteredConv2D, ScaledLeakyReLU
from kgan.networks.resolution import resolution


def style_encoder(
    image_shape: tuple[int, int, int], style_count: int, units: int, *, width: int = 32
) -> keras.Model:
    """Equalised convolutions: images in [0, 1] to styles that differ from layer to layer.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        style_count: Number of styles of an image.
        units: Length of a style.
        width: Channels at the image's resolution; deeper stages have up to 4 times as many.

    Returns:
        A functional model of `images` (batch, height, width, channels) to (batch, style_count,
        units), in units of the styles' deviation from their mean.
    """
    plan = resolution(image_shape, width=width)
    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    features = ScaledLeakyReLU()(EqualizedConv2D(width, 3, padding="same")(features))
    for stage, strides in enumerate(plan.strides, start=1):
        features = FilteredConv2D(width * min(2**stage, 4), strides=strides)(features)
        features = ScaledLeakyReLU()(features)
    features = layers.Flatten()(features)
    features = ScaledLeakyReLU()(EqualizedDense(4 * units)(features))
    styles = EqualizedDense(style_count * units, name="offsets")(features)
    return keras.Model(images, layers.Reshape((style_count, units))(styles), name="style_encoder")
