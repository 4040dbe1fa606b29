"""From an image to an image through a short code, past which nothing goes."""

import math

import keras
from keras import layers

from kgan.networks.normalization import InstanceNormalization
from kgan.networks.output_layers import to_images
from kgan.networks.resolution import channels_at, resolution


def encoder_decoder_generator(
    image_shape: tuple[int, int, int],
    *,
    channels: int | None = None,
    width: int = 64,
    bottleneck: int = 100,
) -> keras.Model:
    """A context encoder: convolutions down to a few pixels, a dense code, and the way back.

    All of the image decides each pixel of the output, and only what the code holds of it. Its
    images have one size.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        channels: Channels of the images it makes; by default as many as it is given.
        width: Channels after the first convolution; each further one doubles them, up to 8 times.
        bottleneck: Length of the code.

    Returns:
        A functional model of `images` in [0, 1] to such images.

    Reference:
        Pathak et al. 2016, section 3 (arXiv:1604.07379).
    """
    if bottleneck < 1:
        raise ValueError(f"bottleneck must be at least 1, got {bottleneck}.")
    plan = resolution(image_shape, width=width)
    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    for stage, strides in enumerate(plan.strides):
        features = layers.Conv2D(
            channels_at(width, stage), 4, strides=strides, padding="same", use_bias=stage == 0
        )(features)
        if stage:
            features = InstanceNormalization()(features)
        features = layers.LeakyReLU(0.2)(features)
    last = len(plan.strides) - 1
    base = (*plan.base, channels_at(width, last))
    features = layers.Flatten()(features)
    features = layers.Dense(bottleneck, name="code")(features)
    features = layers.LeakyReLU(0.2)(features)
    features = layers.Dense(math.prod(base), activation="relu")(features)
    features = layers.Reshape(base)(features)
    for stage in range(last, 0, -1):
        features = layers.Conv2DTranspose(
            channels_at(width, stage - 1),
            4,
            strides=plan.strides[stage],
            padding="same",
            use_bias=False,
        )(features)
        features = plan.crop(features, stage)
        features = layers.ReLU()(InstanceNormalization()(features))
    features = layers.Conv2DTranspose(
        channels or image_shape[-1], 4, strides=plan.strides[0], padding="same", dtype="float32"
    )(features)
    features = plan.crop(features, 0)
    return keras.Model(images, to_images(features, name="translated"), name="encoder_decoder")
