"""Residual networks without normalisation, styles or noise.

Reference: Huang et al. 2024, section 4 and appendix (arXiv:2501.05441).
"""

import math

import keras
from keras import layers

from kgan.networks.conditional import with_label
from kgan.networks.grouped import GroupedConv2D
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.networks.output_layers import LinearImages
from kgan.networks.resampling import FilteredDownsampling2D, FilteredUpsampling2D
from kgan.networks.resolution import resolution
from kgan.networks.style import LearnedConstant

_BLOCKS = 2
_EXPANSION = 2
_IN_A_GROUP = 16
# Keeps the mean square of what a leaky ReLU of slope 0.2 gives.
_GAIN = math.sqrt(2.0 / (1.0 + 0.2**2))


def _channels(width: int, size: tuple[int, int]) -> int:
    """`width` up to 32 pixels; above, half as many for each doubling, at least 4."""
    return max(4, width * 32 // max(32, *size))


def _groups(channels: int) -> int:
    """The most groups of 16 channels or more."""
    most = max(channels // _IN_A_GROUP, 1)
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


def _normal(fan_in: int, gain: float = 1.0) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=gain / math.sqrt(fan_in))


def _block(features, gain: float):
    """The features and a branch that is zero at the start: wider, in groups, narrower."""
    channels = features.shape[-1]
    wide = channels * _EXPANSION
    groups = _groups(wide)
    branch = layers.Conv2D(wide, 1, kernel_initializer=_normal(channels, gain))(features)
    branch = layers.LeakyReLU(0.2)(branch)
    branch = GroupedConv2D(
        wide, 3, groups=groups, kernel_initializer=_normal(9 * wide // groups, gain)
    )(branch)
    branch = layers.LeakyReLU(0.2)(branch)
    branch = layers.Conv2D(channels, 1, use_bias=False, kernel_initializer="zeros")(branch)
    return layers.Add()([features, branch])


def _pointwise(features, channels: int, dtype=None):
    initializer = _normal(features.shape[-1])
    return layers.Conv2D(channels, 1, use_bias=False, kernel_initializer=initializer, dtype=dtype)(
        features
    )


def r3gan_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 64,
) -> keras.Model:
    """A residual generator: latents (and labels) to images in [0, 1].

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`. A learned embedding of the class is appended to
            the latents.
        width: Channels of maps up to 32 pixels; larger maps have proportionally fewer.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    stages = len(plan.strides)
    gain = _GAIN * (_BLOCKS * (stages + 1)) ** -0.25
    latents = keras.Input((latent_dim,), name="latents")
    # As a dense layer of one-hot classes has it.
    deviation = None if num_classes is None else num_classes**-0.5
    inputs, features = with_label(latents, latents, num_classes, deviation=deviation)
    channels = _channels(width, plan.base)
    initializer = _normal(features.shape[-1])
    shares = layers.Dense(channels, use_bias=False, kernel_initializer=initializer)(features)
    basis = LearnedConstant((*plan.base, channels))(shares)
    features = layers.Multiply()([basis, layers.Reshape((1, 1, channels))(shares)])
    for stage in range(stages, -1, -1):
        if stage < stages:
            channels = _channels(width, plan.sizes[stage])
            if channels != features.shape[-1]:
                features = _pointwise(features, channels)
            features = FilteredUpsampling2D(plan.strides[stage])(features)
            features = plan.crop(features, stage)
        for _ in range(_BLOCKS):
            features = _block(features, gain)
    features = _pointwise(features, image_shape[-1], dtype="float32")
    images = LinearImages(dtype="float32", name="images")(features)
    return keras.Model(inputs, images, name="generator")


def r3gan_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    width: int = 64,
    spectral: bool = False,
    minibatch_stddev: bool = False,
) -> keras.Model:
    """A residual discriminator, the generator's mirror: images (and labels) to logits.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        num_classes: Number of classes, or `None`. The class enters as the product with a learned
            embedding.
        width: Channels of maps up to 32 pixels; larger maps have proportionally fewer.
        spectral: Must be `False`: branches that start at zero have no norm to divide by.
        minibatch_stddev: Whether the last map gets the minibatch standard deviation.

    Returns:
        A functional model of `images` in [0, 1], or `[images, labels]`, to logits (batch,).
    """
    if spectral:
        raise ValueError(
            "spectral must be False for networks r3gan: their branches start at zero, and a kernel "
            "of zeros has no norm to divide by."
        )
    plan = resolution(image_shape, num_classes=num_classes, width=width)
    gain = _GAIN * (_BLOCKS * (len(plan.strides) + 1)) ** -0.25
    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    features = _pointwise(features, _channels(width, plan.sizes[0]))
    for stage in range(len(plan.sizes)):
        for _ in range(_BLOCKS):
            features = _block(features, gain)
        if stage < len(plan.strides):
            features = FilteredDownsampling2D(plan.strides[stage])(features)
            channels = _channels(width, plan.sizes[stage + 1])
            if channels != features.shape[-1]:
                features = _pointwise(features, channels)
    if minibatch_stddev:
        features = MinibatchStandardDeviation()(features)
    features = layers.DepthwiseConv2D(
        plan.base, use_bias=False, depthwise_initializer=_normal(math.prod(plan.base))
    )(features)
    features = layers.Flatten()(features)
    initializer = _normal(features.shape[-1])
    if num_classes is None:
        inputs = images
        logits = layers.Dense(1, use_bias=False, kernel_initializer=initializer, dtype="float32")(
            features
        )
    else:
        labels = keras.Input((), dtype="int32", name="labels")
        inputs, size = [images, labels], _channels(width, plan.base)
        features = layers.Dense(
            size, use_bias=False, kernel_initializer=initializer, dtype="float32"
        )(features)
        # A row of a table that a one-hot class would choose: of deviation 1 / sqrt(classes) there.
        embedding = layers.Embedding(
            num_classes,
            size,
            embeddings_initializer=_normal(num_classes * size),
            dtype="float32",
        )(labels)
        logits = layers.Dot(1, dtype="float32")([features, embedding])
    logits = layers.Reshape((), dtype="float32", name="logits")(logits)
    return keras.Model(inputs, logits, name="discriminator")
