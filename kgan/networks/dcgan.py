"""Generator and discriminator of (transposed) convolutions.

Reference: Radford et al. 2016, section 3 (arXiv:1511.06434).
"""

import keras
from keras import layers

from kgan.networks.conditional import with_label
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.networks.normalization import BatchNormalization
from kgan.networks.output_layers import to_images, to_logits
from kgan.networks.resolution import channels_at, resolution
from kgan.networks.spectral import SpectralConv2D

_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}


def dcgan_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 64,
) -> keras.Model:
    """A DCGAN generator: latents (and labels) to images in [0, 1].

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None` for an unconditional generator. A learned
            embedding of the class is appended to the latents.
        width: Channels at half the image's resolution; deeper stages have up to 8 times as many.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    latents = keras.Input((latent_dim,), name="latents")
    inputs, features = with_label(latents, latents, num_classes)
    last = len(plan.strides) - 1
    base = (*plan.base, channels_at(width, last))
    features = layers.Dense(
        base[0] * base[1] * base[2], use_bias=False, kernel_initializer=_INITIALIZER
    )(features)
    features = layers.Reshape(base)(features)
    for stage in range(last, -1, -1):
        features = BatchNormalization()(features)
        features = layers.ReLU()(features)
        features = layers.Conv2DTranspose(
            channels_at(width, stage - 1) if stage else image_shape[-1],
            4,
            strides=plan.strides[stage],
            padding="same",
            use_bias=stage == 0,
            kernel_initializer=_INITIALIZER,
            dtype="float32" if stage == 0 else None,
        )(features)
        features = plan.crop(features, stage)
    return keras.Model(inputs, to_images(features), name="generator")


def dcgan_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    width: int = 64,
    spectral: bool = False,
    minibatch_stddev: bool = False,
) -> keras.Model:
    """A DCGAN discriminator without batch normalisation: images (and labels) to logits.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        num_classes: Number of classes, or `None`. The class enters by projection.
        width: Channels after the first stage; deeper stages have up to 8 times as many.
        spectral: Whether every kernel is spectrally normalised.
        minibatch_stddev: Whether the last features get the minibatch standard deviation.

    Returns:
        A functional model of `images` in [0, 1], or `[images, labels]`, to logits (batch,).
    """
    plan = resolution(image_shape, num_classes=num_classes, width=width)
    convolution = SpectralConv2D if spectral else layers.Conv2D
    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    for stage, strides in enumerate(plan.strides):
        features = convolution(
            channels_at(width, stage),
            4,
            strides=strides,
            padding="same",
            kernel_initializer=_INITIALIZER,
        )(features)
        features = layers.LeakyReLU(0.2)(features)
    if minibatch_stddev:
        features = MinibatchStandardDeviation()(features)
    features = layers.Flatten()(features)
    return to_logits(images, features, num_classes, spectral)
