"""Generator with styles and a residual discriminator.

Reference: Karras et al. 2019 (arXiv:1912.04958), with the sizes for small data of Karras et al.
2020 (arXiv:2006.06676).
"""

import math

import keras
from keras import layers

from kgan.networks.equalized import (
    EqualizedConv2D,
    EqualizedDense,
    FilteredConv2D,
    ScaledLeakyReLU,
)
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.networks.output_layers import LinearImages
from kgan.networks.resampling import FilteredDownsampling2D, FilteredUpsampling2D
from kgan.networks.resolution import resolution
from kgan.networks.spectral import SpectralConv2D, SpectralDense
from kgan.networks.style import (
    LabelledMapping,
    LearnedConstant,
    ModulatedConv2D,
    NoiseInput,
    StyleMapping,
)


def _channels(width: int, stage: int) -> int:
    """`width` at the image's resolution, twice as many a stage inward, up to 4 times."""
    return width * min(2**stage, 4)


def stylegan2_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 32,
) -> keras.Model:
    """A generator with styles: latents (and labels) to images in [0, 1].

    A mapping of two layers gives a style for each layer of the synthesis; images of all sizes are
    summed. Its layers `mapping` and `synthesis` are where a model cuts it in two.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`. A learned embedding of the class is mapped with
            the latents.
        width: Channels at the image's resolution; deeper stages have up to 4 times as many, and
            so has a style.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    stages = len(plan.strides)
    latents = keras.Input((latent_dim,), name="latents")
    inputs = latents
    if num_classes is not None:
        inputs = [latents, keras.Input((), dtype="int32", name="labels")]
    styles = StyleMapping(
        _channels(width, stages),
        2 * stages + 2,
        num_classes=num_classes,
        dtype="float32",
        name="mapping",
    )(inputs)

    def convolve(features, stage, index, strides=(1, 1)):
        features = ModulatedConv2D(_channels(width, stage), 3, style_index=index, strides=strides)(
            [features, styles]
        )
        features = NoiseInput()(plan.crop(features, stage) if max(strides) > 1 else features)
        return ScaledLeakyReLU()(features)

    def to_image(features, index):
        return ModulatedConv2D(
            image_shape[-1], 1, style_index=index, demodulate=False, dtype="float32"
        )([features, styles])

    features = LearnedConstant((*plan.base, _channels(width, stages)))(styles)
    features = convolve(features, stages, 0)
    images = to_image(features, 1)
    for number, stage in enumerate(range(stages - 1, -1, -1)):
        index = 2 * number + 1
        features = convolve(features, stage, index, plan.strides[stage])
        features = convolve(features, stage, index + 1)
        larger = FilteredUpsampling2D(plan.strides[stage], dtype="float32")(images)
        name = None if stage else "synthesis"
        images = layers.Add(dtype="float32", name=name)(
            [plan.crop(larger, stage), to_image(features, index + 2)]
        )
    images = LinearImages(dtype="float32", name="images")(images)
    return keras.Model(inputs, images, name="generator")


def stylegan2_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    width: int = 32,
    spectral: bool = False,
    minibatch_stddev: bool = True,
) -> keras.Model:
    """A residual discriminator of equalised convolutions: images (and labels) to logits.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        num_classes: Number of classes, or `None`. The class enters by projection on its embedding
            after two layers (eight in the authors' PyTorch code, none in that for TensorFlow).
        width: Channels at the image's resolution; deeper stages have up to 4 times as many.
        spectral: Whether every kernel of the convolutions is spectrally normalised, in place of
            the equalised learning rate.
        minibatch_stddev: Whether the last map gets the minibatch standard deviation.

    Returns:
        A functional model of `images` in [0, 1], or `[images, labels]`, to logits (batch,).
    """
    plan = resolution(image_shape, num_classes=num_classes, width=width)
    convolution = SpectralConv2D if spectral else EqualizedConv2D

    def smaller(features, filters, strides):
        if spectral:
            features = FilteredDownsampling2D(strides)(features)
            return SpectralConv2D(filters, 3, padding="same")(features)
        return FilteredConv2D(filters, strides=strides)(features)

    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    features = ScaledLeakyReLU()(convolution(_channels(width, 0), 1)(features))
    for stage, strides in enumerate(plan.strides):
        residual = convolution(_channels(width, stage), 3, padding="same")(features)
        residual = ScaledLeakyReLU()(residual)
        residual = smaller(residual, _channels(width, stage + 1), strides)
        residual = ScaledLeakyReLU()(residual)
        shortcut = FilteredDownsampling2D(strides)(features)
        shortcut = convolution(_channels(width, stage + 1), 1, use_bias=False)(shortcut)
        features = layers.Rescaling(math.sqrt(0.5))(layers.Add()([residual, shortcut]))
    if minibatch_stddev:
        features = MinibatchStandardDeviation()(features)
    last = _channels(width, len(plan.strides))
    features = ScaledLeakyReLU()(convolution(last, 3, padding="same")(features))
    dense = SpectralDense if spectral else EqualizedDense
    features = layers.Flatten()(features)
    features = ScaledLeakyReLU(dtype="float32")(dense(last, dtype="float32")(features))
    if num_classes is None:
        inputs, logits = images, dense(1, dtype="float32")(features)
    else:
        labels = keras.Input((), dtype="int32", name="labels")
        inputs = [images, labels]
        mapped = LabelledMapping(last, num_classes=num_classes, dtype="float32")(labels)
        logits = layers.Dot(1, dtype="float32")([dense(last, dtype="float32")(features), mapped])
        logits = layers.Rescaling(1.0 / math.sqrt(last), dtype="float32")(logits)
    logits = layers.Reshape((), dtype="float32", name="logits")(logits)
    return keras.Model(inputs, logits, name="discriminator")
