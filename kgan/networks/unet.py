"""From an image to an image by a U-Net: halved step by step, with a way past at each."""

import keras
from keras import layers

from kgan.networks.noise import Dropout
from kgan.networks.normalization import InstanceNormalization
from kgan.networks.output_layers import to_images

_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}
_MOST_HALVINGS = 7
_DROPPED = 0.5


def unet_generator(
    image_shape: tuple[int, int, int],
    *,
    channels: int | None = None,
    width: int = 64,
    halvings: int | None = None,
) -> keras.Model:
    """The U-Net of pix2pix: what the input shows at each resolution goes to the output directly.

    Convolutions of 4 pixels halve the image, transposed ones double it; 4 is a multiple of their
    step, so no pixel is reached more often than others. Each map is normalised for itself
    (instance norm: what the published batches of one image amount to), so that no image of a batch
    depends on the others. A map of one pixel would be normalised to nothing, so the lowest map has
    two pixels a side or more, where the published one has one.

    The input alone would decide the output. As published, the noise is dropout in the innermost
    blocks of the way up: `halvings - 4` of them, and at least one, where the published number
    comes to none for small images. It is drawn in training alone.

    Args:
        image_shape: (height, width, channels); the sides are divisible by 2 ** halvings.
        channels: Channels of the images it makes; by default as many as it is given.
        width: Channels after the first convolution; each halving doubles them, up to 8 times.
        halvings: How often the image is halved; by default as often as leaves two whole pixels,
            up to 7 times.

    Returns:
        A functional model of `images` (batch, height, width, channels) in [0, 1] to such images.

    Raises:
        ValueError: For a size that it cannot take.

    Reference:
        Isola et al. 2017, appendix 6.1.1 (arXiv:1611.07004).
    """
    if halvings is None:
        halvings = _fitting(image_shape)
    _check_sides(image_shape, halvings)

    def widths(stage: int) -> int:
        return width * min(2**stage, 8)

    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    kept = []
    for stage in range(halvings):
        first, innermost = stage == 0, stage == halvings - 1
        if not first:
            features = layers.LeakyReLU(0.2)(features)
        features = layers.Conv2D(
            widths(stage),
            4,
            strides=2,
            padding="same",
            use_bias=first or innermost,
            kernel_initializer=_INITIALIZER,
        )(features)
        if not first and not innermost:
            features = InstanceNormalization()(features)
        kept.append(features)
    noisy = max(1, halvings - 4)
    for stage in range(halvings - 1, 0, -1):
        features = layers.ReLU()(features)
        features = layers.Conv2DTranspose(
            widths(stage - 1),
            4,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=_INITIALIZER,
        )(features)
        features = InstanceNormalization()(features)
        if stage >= halvings - noisy:
            features = Dropout(_DROPPED)(features)
        features = layers.Concatenate()([features, kept[stage - 1]])
    features = layers.ReLU()(features)
    features = layers.Conv2DTranspose(
        channels or image_shape[-1],
        4,
        strides=2,
        padding="same",
        kernel_initializer=_INITIALIZER,
        dtype="float32",
    )(features)
    return keras.Model(images, to_images(features, name="translated"), name="unet_generator")


def _fitting(image_shape: tuple[int, int, int]) -> int:
    sides, halvings = image_shape[:2], 1
    while halvings < _MOST_HALVINGS and all(
        side % 2 ** (halvings + 1) == 0 and side >= 2 ** (halvings + 2) for side in sides
    ):
        halvings += 1
    return halvings


def _check_sides(image_shape: tuple[int, int, int], halvings: int) -> None:
    if not 1 <= halvings <= 10:
        raise ValueError(f"halvings must be from 1 to 10 for a U-Net, got {halvings}.")
    factor = 2**halvings
    sides = image_shape[:2]
    if len(image_shape) != 3 or any(side % factor or side < factor for side in sides):
        raise ValueError(
            f"image_shape must have sides that are divisible by {factor} for a U-Net that halves "
            f"{halvings} time{'s' * (halvings > 1)}, got {image_shape}. Resize the images "
            "(--image-size), or take fewer halvings."
        )
