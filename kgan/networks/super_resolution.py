"""From an image to a larger one."""

import keras
import tensorflow as tf
from keras import layers

from kgan.networks.output_layers import to_images

UPSAMPLINGS = ("nearest", "pixel_shuffle")


def super_resolution_generator(
    image_shape: tuple[int, int, int],
    *,
    channels: int | None = None,
    width: int = 64,
    factor: int = 2,
    blocks: int = 8,
    upsampling: str = "nearest",
) -> keras.Model:
    """Residual blocks at the low resolution, and doublings at the end.

    There is no normalisation, which would take away the image's own contrast. Pixels are repeated
    and then convolved: a pixel shuffle costs less and begins with a checkerboard, which it has to
    unlearn.

    Args:
        image_shape: (height, width, channels) of the small images.
        channels: Channels of the images it makes; by default as many as it is given.
        width: Channels of all maps.
        factor: How many times as large its images are: 1, 2, 4 or 8.
        blocks: Residual blocks; 16 are published.
        upsampling: "nearest" or "pixel_shuffle".

    Returns:
        A functional model of `images` (batch, height, width, channels) in [0, 1] to images
        (batch, factor height, factor width, channels).

    Reference:
        Ledig et al. 2017 (arXiv:1609.04802); without normalisation: Lim et al. 2017
        (arXiv:1707.02921); nearest neighbours: Odena et al. 2016, "Deconvolution and checkerboard
        artifacts".
    """
    if factor not in (1, 2, 4, 8):
        raise ValueError(f"factor must be 1, 2, 4 or 8, got {factor}.")
    if upsampling not in UPSAMPLINGS:
        raise ValueError(f"upsampling must be one of {', '.join(UPSAMPLINGS)}, got {upsampling!r}.")
    if blocks < 0:
        raise ValueError(f"blocks must be at least 0, got {blocks}.")

    def convolution(features, filters=width, scale=1.0):
        start = keras.initializers.VarianceScaling(scale=2.0 * scale)
        return layers.Conv2D(filters, 3, padding="same", kernel_initializer=start)(features)

    images = keras.Input(image_shape, name="images")
    features = first = convolution(layers.Rescaling(2.0, -1.0)(images))
    for _ in range(blocks):
        residual = convolution(layers.ReLU()(convolution(features)), scale=0.1)
        features = layers.Add()([features, residual])
    features = layers.Add()([first, convolution(features)])
    for _ in range(factor.bit_length() - 1):
        if upsampling == "nearest":
            features = convolution(layers.UpSampling2D()(features))
        else:
            features = PixelShuffle(2)(convolution(features, 4 * width))
        features = layers.ReLU()(features)
    features = layers.Conv2D(
        channels or image_shape[-1], 3, padding="same", dtype="float32", kernel_initializer=_SMALL
    )(features)
    return keras.Model(images, to_images(features, name="translated"), name="super_resolution")


_SMALL = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.01}}


@keras.saving.register_keras_serializable(package="kgan")
class PixelShuffle(keras.layers.Layer):
    """Makes squares of pixels of the channels.

    Args:
        factor: Side of the squares.

    Shapes: (batch, height, width, factor ** 2 channels) to (batch, factor height, factor width,
    channels).

    Reference: Shi et al. 2016 (arXiv:1609.05158).
    """

    any_size = True

    def __init__(self, factor: int, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        return tf.nn.depth_to_space(inputs, self.factor)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        if channels % self.factor**2:
            raise ValueError(
                f"channels must be divisible by {self.factor**2} for a pixel shuffle, got "
                f"{channels}."
            )
        sides = (None if side is None else side * self.factor for side in (height, width))
        return (batch, *sides, channels // self.factor**2)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
