"""Residual generator and discriminator.

Reference: Miyato et al. 2018, appendix B.4 (arXiv:1802.05957); conditional: Miyato & Koyama 2018
(arXiv:1802.05637).
"""

import keras
from keras import layers

from kgan.networks.attention import SelfAttention
from kgan.networks.conditional import ConditionalBatchNormalization
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.networks.normalization import BatchNormalization
from kgan.networks.output_layers import to_images, to_logits
from kgan.networks.resampling import RepeatedUpsampling2D
from kgan.networks.resolution import resolution
from kgan.networks.spectral import SpectralConv2D


def _channels(width: int, size: tuple[int, int]) -> int:
    """`width` up to 32 pixels; above, half as many for each doubling."""
    return max(16, width * 32 // max(32, *size))


def resnet_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 256,
) -> keras.Model:
    """A residual generator: latents (and labels) to images in [0, 1].

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`. The class enters by conditional batch
            normalisation.
        width: Channels of maps up to 32 pixels; larger maps have proportionally fewer.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    latents = keras.Input((latent_dim,), name="latents")
    labels = None if num_classes is None else keras.Input((), dtype="int32", name="labels")

    def normalise(features):
        if num_classes is None:
            features = BatchNormalization()(features)
        else:
            features = ConditionalBatchNormalization(num_classes)([features, labels])
        return layers.ReLU()(features)

    base = (*plan.base, _channels(width, plan.base))
    features = layers.Dense(base[0] * base[1] * base[2])(latents)
    features = layers.Reshape(base)(features)
    for stage in range(len(plan.strides) - 1, -1, -1):
        strides = plan.strides[stage]
        channels = _channels(width, plan.sizes[stage])
        residual = normalise(features)
        residual = RepeatedUpsampling2D(strides)(residual)
        residual = layers.Conv2D(channels, 3, padding="same")(residual)
        residual = normalise(residual)
        residual = layers.Conv2D(channels, 3, padding="same")(residual)
        shortcut = RepeatedUpsampling2D(strides)(features)
        shortcut = layers.Conv2D(channels, 1)(shortcut)
        features = plan.crop(layers.Add()([residual, shortcut]), stage)
    features = normalise(features)
    features = layers.Conv2D(image_shape[-1], 3, padding="same", dtype="float32")(features)
    inputs = latents if labels is None else [latents, labels]
    return keras.Model(inputs, to_images(features), name="generator")


def resnet_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    width: int = 128,
    spectral: bool = True,
    minibatch_stddev: bool = False,
) -> keras.Model:
    """A residual discriminator without batch normalisation: images (and labels) to logits.

    Maps shrink to 8 pixels or fewer, two more blocks keep the size, and the features are summed
    over space.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        num_classes: Number of classes, or `None`. The class enters by projection.
        width: Channels of maps up to 32 pixels; larger maps have proportionally fewer.
        spectral: Whether every kernel is spectrally normalised.
        minibatch_stddev: Whether the last map gets the minibatch standard deviation.

    Returns:
        A functional model of `images` in [0, 1], or `[images, labels]`, to logits (batch,).
    """
    return residual_discriminator(
        image_shape,
        num_classes=num_classes,
        width=width,
        spectral=spectral,
        minibatch_stddev=minibatch_stddev,
    )


def residual_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None,
    width: int,
    spectral: bool,
    minibatch_stddev: bool,
    attention_side: int | None = None,
) -> keras.Model:
    """The discriminator of this file, and those that differ from it by attention.

    Args as for `resnet_discriminator`, and:
        attention_side: After the first block whose map is at most as large there is attention.
    """
    plan = resolution(image_shape, num_classes=num_classes, width=width)
    convolution = SpectralConv2D if spectral else layers.Conv2D
    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    # The last halving of the plan is left out: two blocks at that size follow.
    down = [strides for strides in plan.strides[:-1] if strides != (1, 1)]
    size = image_shape[:2]
    for index, strides in enumerate([*down, (1, 1), (1, 1)]):
        size = (-(-size[0] // strides[0]), -(-size[1] // strides[1]))
        channels = _channels(width, size)
        residual = features if index == 0 else layers.ReLU()(features)
        residual = convolution(channels, 3, padding="same")(residual)
        residual = layers.ReLU()(residual)
        residual = convolution(channels, 3, padding="same")(residual)
        residual = averaged(residual, strides)
        shortcut = averaged(features, strides)
        if strides != (1, 1) or features.shape[-1] != channels:
            shortcut = convolution(channels, 1)(shortcut)
        features = layers.Add()([residual, shortcut])
        if attention_side is not None and max(size) <= attention_side:
            features, attention_side = SelfAttention(spectral=spectral)(features), None
    return summed_to_logits(
        images, features, num_classes, spectral=spectral, minibatch_stddev=minibatch_stddev
    )


def averaged(features, strides: tuple[int, int]):
    """A symbolic map whose sides are divided by the strides, rounding up, by averages."""
    if strides == (1, 1):
        return features
    return layers.AveragePooling2D(strides, padding="same")(features)


def summed_to_logits(
    images, features, num_classes: int | None, *, spectral: bool, minibatch_stddev: bool
) -> keras.Model:
    """Closes a discriminator whose last map is summed over space."""
    height, width = features.shape[1:3]
    features = layers.ReLU()(features)
    if minibatch_stddev:
        features = MinibatchStandardDeviation()(features)
    # Summed, as in SNGAN; a mean is the sum up to a factor that would shrink with the image.
    features = layers.GlobalAveragePooling2D(dtype="float32")(features)
    features = layers.Rescaling(float(height * width), dtype="float32")(features)
    return to_logits(images, features, num_classes, spectral)
