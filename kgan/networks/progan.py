"""Generator and discriminator that grow from 4x4 to the image's size while they train.

Reference: Karras et al. 2018, section 4 and appendix A (arXiv:1710.10196).
"""

import keras
from keras import layers

from kgan.networks.conditional import Projection, with_label
from kgan.networks.equalized import EqualizedConv2D, EqualizedDense, PixelNormalization
from kgan.networks.growing import FadeIn, GrowingConvolutions
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.networks.output_layers import LinearImages
from kgan.networks.resampling import RepeatedUpsampling2D
from kgan.networks.resolution import channels_at, resolution
from kgan.networks.spectral import SpectralConv2D, SpectralDense

_GAIN = 2**0.5


def progan_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 32,
) -> keras.Model:
    """A growing generator: latents (and labels) to images in [0, 1].

    Below its full size its images are those of the size that it has reached, enlarged.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`. A learned embedding of the class is appended to
            the latents before they are normalised, so that truncated ones leave more to the class.
        width: Channels at the image's resolution; deeper stages have up to 8 times as many.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    last = len(plan.strides)
    latents = keras.Input((latent_dim,), name="latents")
    inputs, features = with_label(latents, latents, num_classes)
    features = PixelNormalization()(features)
    base = (*plan.base, channels_at(width, last))
    features = EqualizedDense(base[0] * base[1] * base[2], gain=_GAIN / 4)(features)
    features = layers.LeakyReLU(0.2)(layers.Reshape(base)(features))
    features = PixelNormalization()(features)
    features = GrowingConvolutions(0, (base[2],), normalise=True)(features)

    def to_image(features):
        return EqualizedConv2D(image_shape[-1], 1, dtype="float32")(features)

    images = to_image(features)
    for level, stage in enumerate(range(last - 1, -1, -1)):
        strides, channels = plan.strides[stage], channels_at(width, stage)
        features = GrowingConvolutions(
            level,
            (channels, channels),
            normalise=True,
            enlarge=strides,
            size=plan.sizes[stage],
        )(features)
        previous = RepeatedUpsampling2D(strides, dtype="float32")(images)
        images = FadeIn(level, dtype="float32")([plan.crop(previous, stage), to_image(features)])
    images = LinearImages(dtype="float32", name="images")(images)
    return keras.Model(inputs, images, name="generator")


def progan_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    width: int = 32,
    spectral: bool = False,
    minibatch_stddev: bool = True,
) -> keras.Model:
    """A growing discriminator, the generator's mirror: images (and labels) to logits.

    Below its full size it sees the images averaged to the size that it has reached.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        num_classes: Number of classes, or `None`. The class enters by projection, whose matrices
            are plain, not equalised.
        width: Channels at the image's resolution; deeper stages have up to 8 times as many.
        spectral: Whether the last convolution and the dense layers, all that stays as it is while
            it grows, are spectrally normalised.
        minibatch_stddev: Whether the last map gets the minibatch standard deviation, as published.

    Returns:
        A functional model of `images` in [0, 1], or `[images, labels]`, to logits (batch,).
    """
    plan = resolution(image_shape, num_classes=num_classes, width=width)
    last = len(plan.strides)
    images = keras.Input(image_shape, name="images")

    def from_image(maps, stage):
        features = EqualizedConv2D(channels_at(width, stage), 1, gain=_GAIN)(maps)
        return layers.LeakyReLU(0.2)(features)

    maps = layers.Rescaling(2.0, -1.0)(images)
    features = from_image(maps, 0)
    for stage, strides in enumerate(plan.strides):
        channels, following = (channels_at(width, one) for one in (stage, stage + 1))
        level = last - 1 - stage
        features = GrowingConvolutions(level, (channels, following), reduce=strides)(features)
        maps = layers.AveragePooling2D(strides, padding="same")(maps)
        features = FadeIn(level)([from_image(maps, stage + 1), features])
    if minibatch_stddev:
        features = MinibatchStandardDeviation()(features)
    channels = channels_at(width, last)
    if spectral:
        convolution = SpectralConv2D(channels, 3, padding="same")
        dense = SpectralDense(channels, dtype="float32")
    else:
        convolution = EqualizedConv2D(channels, 3, padding="same", gain=_GAIN)
        dense = EqualizedDense(channels, gain=_GAIN, dtype="float32")
    features = layers.LeakyReLU(0.2)(convolution(features))
    features = dense(layers.Flatten()(features))
    features = layers.LeakyReLU(0.2, dtype="float32")(features)
    if num_classes is None:
        inputs = images
        last_dense = SpectralDense if spectral else EqualizedDense
        logits = last_dense(1, dtype="float32")(features)
    else:
        labels = keras.Input((), dtype="int32", name="labels")
        inputs = [images, labels]
        logits = Projection(num_classes, spectral=spectral, dtype="float32")([features, labels])
    logits = layers.Reshape((), dtype="float32", name="logits")(logits)
    return keras.Model(inputs, logits, name="discriminator")
