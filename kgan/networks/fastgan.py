"""Light networks for few images: skip-layer excitation, and a discriminator whose maps are decoded.

Reference: Liu et al. 2021 (arXiv:2101.04775), and the authors' code for the discriminator's
excitation and its coarse branch. Unlike there, what small images have too few maps for is excited
by the map that is farthest away; two decoders, of the whole image and a part of it, start from one
map, and none from the coarse branch, which sees the image at half its size rather than at 128
pixels; the generator makes no second, smaller image.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from kgan.networks.conditional import with_label
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.networks.normalization import BatchNormalization
from kgan.networks.output_layers import to_images
from kgan.networks.resampling import RepeatedUpsampling2D
from kgan.networks.resolution import channels_at, resolution
from kgan.networks.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding
from kgan.networks.style import NoiseInput

DECODED = "decoded"
"""Name of the discriminator's layer whose map a decoder makes images of."""

# How many halvings lie between a map and the one that excites it.
_GENERATOR_REACH = 4
_DISCRIMINATOR_REACH = 3
_EXCITED_SIDE = 4


@keras.saving.register_keras_serializable(package="kgan")
class GatedLinear(keras.layers.Layer):
    """The first half of the channels, times the sigmoid of the second.

    Shapes: (batch, ..., 2 channels) to (batch, ..., channels).

    Reference: Dauphin et al. 2017, equation 1 (arXiv:1612.08083).
    """

    def call(self, inputs: Any) -> Any:
        values, gates = tf.split(inputs, 2, axis=-1)
        return values * tf.sigmoid(gates)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], input_shape[-1] // 2)


def _convolution(features, filters: int, size: Any = 3, *, spectral: bool = True, **options):
    kind = SpectralConv2D if spectral else layers.Conv2D
    return kind(filters, size, **{"padding": "same", "use_bias": False, **options})(features)


def _gated(features, channels: int, *, noise: bool = False):
    features = _convolution(features, 2 * channels)
    if noise:
        features = NoiseInput()(features)
    return GatedLinear()(BatchNormalization()(features))


def _excited(features, source, *, spectral: bool = True):
    """The features, each channel times a share between 0 and 1 that another map decides on."""
    pool = tuple(max(side // _EXCITED_SIDE, 1) for side in source.shape[1:3])
    shares = layers.AveragePooling2D(pool)(source)
    filters, size = features.shape[-1], shares.shape[1:3]
    shares = _convolution(shares, filters, size, padding="valid", spectral=spectral)
    shares = layers.Activation("swish")(shares)
    shares = _convolution(shares, filters, 1, spectral=spectral)
    return layers.Multiply()([features, layers.Activation("sigmoid")(shares)])


def _exciting(maps: int, reach: int) -> dict[int, int]:
    """Which map excites which, of so many in the order that they are made in."""
    return {made: made - reach for made in range(reach, maps)} or {maps - 1: 0}


def fastgan_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 32,
) -> keras.Model:
    """A generator of gated convolutions whose small maps excite large ones: to images in [0, 1].

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`. A learned embedding of the class is appended to
            the latents.
        width: Channels at the image's resolution; deeper stages have up to 8 times as many.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    latents = keras.Input((latent_dim,), name="latents")
    inputs, features = with_label(latents, latents, num_classes)
    last = len(plan.strides)
    exciting = _exciting(last + 1, _GENERATOR_REACH)
    base = (*plan.base, 2 * channels_at(width, last))
    features = SpectralDense(base[0] * base[1] * base[2], use_bias=False)(features)
    features = BatchNormalization()(layers.Reshape(base)(features))
    maps = [GatedLinear()(features)]
    for stage in range(last - 1, -1, -1):
        features = plan.crop(RepeatedUpsampling2D(plan.strides[stage])(maps[-1]), stage)
        # Every second stage has a second convolution, and noise; the largest map has neither.
        double = len(maps) % 2 == 1 and stage > 0
        features = _gated(features, channels_at(width, stage), noise=double)
        if double:
            features = _gated(features, channels_at(width, stage), noise=True)
        if len(maps) in exciting:
            features = _excited(features, maps[exciting[len(maps)]])
        maps.append(features)
    features = _convolution(maps[-1], image_shape[-1], use_bias=True, dtype="float32")
    return keras.Model(inputs, to_images(features), name="generator")


def _normalised(features, channels: int, size: int, *, spectral: bool, **options):
    features = _convolution(features, channels, size, spectral=spectral, **options)
    return layers.LeakyReLU(0.2)(BatchNormalization()(features))


def _smaller(features, channels: int, strides, spectral: bool):
    """The mean of a convolution with strides and of an averaged, then weighted shortcut."""
    main = _normalised(features, channels, 4, strides=strides, spectral=spectral)
    main = _normalised(main, channels, 3, spectral=spectral)
    direct = layers.AveragePooling2D(strides, padding="same")(features)
    direct = _normalised(direct, channels, 1, spectral=spectral)
    return layers.Average()([main, direct])


def _patch_logits(features, spectral: bool):
    size = tuple(min(side, _EXCITED_SIDE) for side in features.shape[1:3])
    logits = _convolution(features, 1, size, padding="valid", spectral=spectral, dtype="float32")
    return layers.Flatten(dtype="float32")(logits)


def fastgan_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    width: int = 32,
    spectral: bool = True,
    minibatch_stddev: bool = False,
) -> keras.Model:
    """A discriminator of patches at two scales: images (and labels) to logits.

    Its layer `decoded` gives the map of which `fastgan_decoder` makes images.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        num_classes: Number of classes, or `None`. The class enters every patch's logit by
            projection of the whole map's mean.
        width: Channels after the first halving; deeper stages have up to 8 times as many.
        spectral: Whether every kernel is spectrally normalised, as published.
        minibatch_stddev: Whether the last map gets the minibatch standard deviation.

    Returns:
        A functional model of `images` in [0, 1], or `[images, labels]`, to logits (batch, patches).
    """
    plan = resolution(image_shape, num_classes=num_classes, width=width)
    last = len(plan.strides) - 1
    images = keras.Input(image_shape, name="images")
    inputs: Any = images
    scaled = layers.Rescaling(2.0, -1.0)(images)

    def first(features, strides, channels):
        features = _convolution(features, channels, 4, strides=strides, spectral=spectral)
        return layers.LeakyReLU(0.2)(features)

    maps = [first(scaled, plan.strides[0], channels_at(width, 0))]
    exciting = _exciting(last, _DISCRIMINATOR_REACH) if last > 1 else {}
    for stage in range(1, last):
        features = _smaller(maps[-1], channels_at(width, stage), plan.strides[stage], spectral)
        if stage in exciting:
            features = _excited(features, maps[exciting[stage]], spectral=spectral)
        maps.append(features)
    features = layers.Identity(name=DECODED)(maps[-1])
    if minibatch_stddev:
        features = MinibatchStandardDeviation()(features)
    features = _normalised(features, features.shape[-1], 1, spectral=spectral)
    # The image at half its size, in a network of its own.
    coarse = layers.AveragePooling2D(plan.strides[0], padding="same")(scaled)
    coarse = first(coarse, plan.strides[1] if last > 1 else (1, 1), channels_at(width, 1))
    for stage in range(2, last):
        strides = plan.strides[stage]
        coarse = _normalised(
            coarse, channels_at(width, stage), 4, strides=strides, spectral=spectral
        )
    logits = layers.Concatenate(dtype="float32")(
        [_patch_logits(one, spectral) for one in (features, coarse)]
    )
    if num_classes is not None:
        labels = keras.Input((), dtype="int32", name="labels")
        inputs = [images, labels]
        pooled = layers.GlobalAveragePooling2D(dtype="float32")(features)
        embedding = SpectralEmbedding if spectral else layers.Embedding
        classes = embedding(num_classes, pooled.shape[-1], dtype="float32")(labels)
        product = layers.Dot(1, dtype="float32")([pooled, classes])
        logits = layers.Add(dtype="float32")([logits, product])
    logits = layers.Identity(dtype="float32", name="logits")(logits)
    return keras.Model(inputs, logits, name="discriminator")


def fastgan_decoder(
    image_shape: tuple[int, int, int], discriminator: keras.Model, *, width: int = 32
) -> keras.Model:
    """What a discriminator of real images is to know: it draws them from its map.

    Args:
        image_shape: (height, width, channels).
        discriminator: With a layer `decoded`, whose map is larger than the smallest one by the last
            halving.
        width: Channels after its last doubling, before the image's.

    Returns:
        A functional model of two maps of the smallest size, the pooled whole one and a part of it,
        to two images in [0, 1] of the sides that the image has after the first halving.
    """
    plan = resolution(image_shape, width=width)
    channels = discriminator.get_layer(DECODED).output.shape[-1]
    inputs, made = [], []
    for name in ("whole", "part"):
        features = keras.Input((*plan.base, channels), name=name)
        inputs.append(features)
        for stage in range(len(plan.strides) - 1, 0, -1):
            features = RepeatedUpsampling2D(plan.strides[stage])(features)
            features = _gated(plan.crop(features, stage), channels_at(width, stage) // 2)
        features = _convolution(features, image_shape[-1], use_bias=True, dtype="float32")
        made.append(to_images(features, name=f"{name}_images"))
    return keras.Model(inputs, made, name="decoder")
