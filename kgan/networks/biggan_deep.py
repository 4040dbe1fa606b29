"""BigGAN's deep form: twice the blocks, each narrow inside, and shortcuts that stay as they are.

All latents and the class steer every block. Where channels become fewer a shortcut keeps the first
ones; where they become more it gets new ones beside those that it has.

Reference: Brock et al. 2019, appendix B, figure 16 (arXiv:1809.11096). Kernels start as in the
plain form.
"""

from typing import Any

import keras
from keras import layers

from kgan.networks.attention import SelfAttention
from kgan.networks.biggan import SteeredBatchNormalization, latents_and_class
from kgan.networks.normalization import BatchNormalization
from kgan.networks.output_layers import to_images
from kgan.networks.resampling import RepeatedUpsampling2D
from kgan.networks.resnet import averaged, summed_to_logits
from kgan.networks.resolution import resolution
from kgan.networks.spectral import SpectralConv2D, SpectralDense

_BOTTLENECK = 4
# Of 128 pixels and more published; of those between, so that they have a smaller map to attend to.
_ATTENTION_SIDES = (64, 32)
# Channels, in widths, of the image's map and of those inward, by the number of halvings. The
# paper's begin at 128 pixels, five halvings; those of smaller images are from the authors' code,
# where however the discriminator of 64 pixels has half as many as its generator.
_MULTIPLES = {
    2: (4, 4, 4),
    3: (4, 4, 4, 4),
    4: (2, 4, 8, 16, 16),
    5: (1, 2, 4, 8, 16, 16),
    6: (1, 2, 4, 8, 8, 16, 16),
    7: (1, 1, 2, 4, 8, 8, 16, 16),
    8: (1, 1, 1, 2, 4, 8, 8, 16, 16),
}


@keras.saving.register_keras_serializable(package="kgan")
class FirstChannels(keras.layers.Layer):
    """The first channels of a map; the others are dropped.

    Args:
        count: How many are kept, at least 1.

    Shapes: (batch, ..., channels) to (batch, ..., count).
    """

    def __init__(self, count: int, **options):
        super().__init__(**options)
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}.")
        self.count = count

    def call(self, inputs: Any) -> Any:
        if inputs.shape[-1] < self.count:
            raise ValueError(
                f"count must be at most the number of channels, {inputs.shape[-1]}, "
                f"got {self.count}."
            )
        return inputs[..., : self.count]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.count)

    def get_config(self):
        return {**super().get_config(), "count": self.count}


def biggan_deep_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 128,
) -> keras.Model:
    """The deep residual generator: latents (and labels) to images in [0, 1].

    Two blocks a size, the second of which doubles the map. The latents, with an embedding of the
    class beside them, make the smallest map and steer every block.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024. Images above 64 pixels have
            attention at about 64, those of 33 to 64 at about 32.
        latent_dim: Length of a latent vector; published: 128.
        num_classes: Number of classes, or `None`.
        width: Channels of the largest map, but for at least 16; smaller maps have up to 16 times
            as many. Images of 33 to 64 pixels start with twice as many, and smaller ones have 4
            times as many in all maps.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    channels, attended = _channels(plan.sizes, width), _attended(plan.sizes)
    inputs, vectors, shared = latents_and_class(latent_dim, num_classes)
    if shared is not None:
        vectors = layers.Concatenate()([shared, vectors])
    base = (*plan.base, channels[-1])
    features = SpectralDense(base[0] * base[1] * base[2])(vectors)
    features = layers.Reshape(base)(features)
    for stage in range(len(plan.strides) - 1, -1, -1):
        features = generator_block(features, vectors, channels[stage + 1])
        features = generator_block(features, vectors, channels[stage], plan.strides[stage])
        features = plan.crop(features, stage)
        if plan.sizes[stage] == attended:
            features = SelfAttention()(features)
    features = layers.ReLU()(BatchNormalization()(features))
    features = SpectralConv2D(image_shape[-1], 3, padding="same", dtype="float32")(features)
    return keras.Model(inputs, to_images(features), name="generator")


def generator_block(features, vectors, channels: int, strides: tuple[int, int] = (1, 1)):
    """A block of the generator on symbolic values.

    Args:
        features: The map, (batch, height, width, at least `channels`).
        vectors: What steers the normalisation of each sample, (batch, size).
        channels: Channels that it gives.
        strides: 1 or 2, by which it makes the height and the width larger.

    Returns:
        The map, (batch, strides[0] height, strides[1] width, channels).
    """

    def steered(values):
        return layers.ReLU()(SteeredBatchNormalization()([values, vectors]))

    def enlarged(values):
        return values if strides == (1, 1) else RepeatedUpsampling2D(strides)(values)

    shortcut = features
    hidden = features.shape[-1] // _BOTTLENECK
    features = SpectralConv2D(hidden, 1)(steered(features))
    features = SpectralConv2D(hidden, 3, padding="same")(enlarged(steered(features)))
    features = SpectralConv2D(hidden, 3, padding="same")(steered(features))
    features = SpectralConv2D(channels, 1)(steered(features))
    if shortcut.shape[-1] != channels:
        shortcut = FirstChannels(channels)(shortcut)
    return layers.Add()([features, enlarged(shortcut)])


def biggan_deep_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    width: int = 128,
    spectral: bool = True,
    minibatch_stddev: bool = False,
) -> keras.Model:
    """The deep residual discriminator: images (and labels) to logits.

    The generator mirrored: two blocks a size, the first of which halves the map, but for the last
    of images up to 32 pixels; the features are summed over space.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024. Images above 64 pixels have
            attention at about 64, those of 33 to 64 at about 32.
        num_classes: Number of classes, or `None`. The class enters by projection.
        width: Channels of the largest map, but for at least 16; smaller maps have up to 16 times
            as many. Images of 33 to 64 pixels start with twice as many, and smaller ones have 4
            times as many in all maps.
        spectral: Whether every kernel is spectrally normalised.
        minibatch_stddev: Whether the last map gets the minibatch standard deviation.

    Returns:
        A functional model of `images` in [0, 1], or `[images, labels]`, to logits (batch,).
    """
    plan = resolution(image_shape, num_classes=num_classes, width=width)
    channels, attended = _channels(plan.sizes, width), _attended(plan.sizes)
    strides = list(plan.strides)
    if attended is None:
        strides[-1] = (1, 1)
    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    features = _convolution(spectral)(channels[0], 3, padding="same")(features)
    for stage, stride in enumerate(strides):
        features = discriminator_block(features, channels[stage + 1], stride, spectral=spectral)
        features = discriminator_block(features, channels[stage + 1], spectral=spectral)
        if plan.sizes[stage + 1] == attended:
            features = SelfAttention(spectral=spectral)(features)
    return summed_to_logits(
        images, features, num_classes, spectral=spectral, minibatch_stddev=minibatch_stddev
    )


def discriminator_block(
    features, channels: int, strides: tuple[int, int] = (1, 1), *, spectral: bool = True
):
    """A block of the discriminator on symbolic values.

    Args:
        features: The map, (batch, height, width, at most `channels`).
        channels: Channels that it gives.
        strides: 1 or 2, by which it makes the height and the width smaller, rounding up.
        spectral: Whether every kernel is spectrally normalised.

    Returns:
        The map, (batch, height / strides[0], width / strides[1], channels).
    """
    convolution = _convolution(spectral)
    hidden = channels // _BOTTLENECK
    shortcut = averaged(features, strides)
    features = convolution(hidden, 1)(layers.ReLU()(features))
    features = convolution(hidden, 3, padding="same")(layers.ReLU()(features))
    features = convolution(hidden, 3, padding="same")(layers.ReLU()(features))
    features = convolution(channels, 1)(averaged(layers.ReLU()(features), strides))
    missing = channels - shortcut.shape[-1]
    if missing:
        shortcut = layers.Concatenate()([shortcut, convolution(missing, 1)(shortcut)])
    return layers.Add()([features, shortcut])


def _channels(sizes: tuple[tuple[int, int], ...], width: int) -> list[int]:
    """Of the image's map and of those inward."""
    return [max(16, multiple * width) for multiple in _MULTIPLES[len(sizes) - 1]]


def _attended(sizes: tuple[tuple[int, int], ...]) -> tuple[int, int] | None:
    """(height, width) of the map with attention, of those whose sizes these are, or `None`."""
    for side in _ATTENTION_SIDES:
        if max(sizes[0]) > side:
            return next(size for size in sizes if max(size) <= side)
    return None


def _convolution(spectral: bool) -> type[layers.Layer]:
    return SpectralConv2D if spectral else layers.Conv2D
