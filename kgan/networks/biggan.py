"""Residual generator whose every block is steered by the class and by latents of its own.

Reference: Brock et al. 2019, appendix B (arXiv:1809.11096). Kernels start as Glorot's in place of
orthogonal ones, with which the discriminator's first logits are ten times as large. At 32 pixels
the channels are the authors'. For larger images these are smaller networks than theirs: maps of up
to 32 pixels all have `width` channels, where theirs have four times as many at 8 and 4; attention
is at 32 pixels, not 64; and the discriminator ends at 8 pixels, not 4.
"""

from typing import Any

import keras
from keras import layers

from kgan.networks.attention import SelfAttention
from kgan.networks.normalization import BatchNormalization
from kgan.networks.output_layers import to_images
from kgan.networks.resampling import RepeatedUpsampling2D
from kgan.networks.resnet import residual_discriminator
from kgan.networks.resolution import resolution
from kgan.networks.spectral import SpectralConv2D, SpectralDense

_EMBEDDING = 128
_ATTENTION_SIDE = 32


@keras.saving.register_keras_serializable(package="kgan")
class LatentChunk(keras.layers.Layer):
    """One of several parts of equal length of latents; the first takes what is left over.

    Args:
        index: Number of the part, from 0.
        count: How many parts there are.

    Shapes: (batch, latent_dim) to (batch, about latent_dim / count).
    """

    def __init__(self, index: int, count: int, **options):
        super().__init__(**options)
        if not 0 <= index < count:
            raise ValueError(f"index must be in [0, {count - 1}], got {index}.")
        self.index = index
        self.count = count

    def _bounds(self, size: int) -> tuple[int, int]:
        length, rest = divmod(size, self.count)
        if length == 0:
            raise ValueError(f"latent_dim must be at least {self.count}, got {size}.")
        start = rest + self.index * length if self.index else 0
        return start, rest + (self.index + 1) * length

    def call(self, inputs: Any) -> Any:
        start, end = self._bounds(inputs.shape[-1])
        return inputs[:, start:end]

    def compute_output_shape(self, input_shape: Any) -> Any:
        start, end = self._bounds(input_shape[-1])
        return (input_shape[0], end - start)

    def get_config(self):
        return {**super().get_config(), "index": self.index, "count": self.count}


@keras.saving.register_keras_serializable(package="kgan")
class SteeredBatchNormalization(keras.layers.Layer):
    """Batch normalisation whose scale and offset are linear in a vector of each sample.

    The scale is 1 plus a spectrally normalised map of the vector, the offset another; neither has
    a bias.

    Shapes: `[features (batch, height, width, channels), vectors (batch, size)]` to the features'
    shape. Statistics are taken over the global batch.
    """

    def build(self, input_shape: Any) -> None:
        features, vectors = input_shape
        policy = self.dtype_policy
        self.normalization = BatchNormalization(
            center=False, scale=False, dtype=policy, name="normalization"
        )
        self.normalization.build(features)
        self.scale, self.offset = (
            SpectralDense(features[-1], use_bias=False, dtype=policy, name=name)
            for name in ("scale", "offset")
        )
        self.scale.build(vectors)
        self.offset.build(vectors)

    @property
    def vector_maps(self) -> list[keras.layers.Layer]:
        """The layers that act on the vectors alone."""
        return [self.scale, self.offset]

    def call(self, inputs: Any, training: bool = False) -> Any:
        features, vectors = inputs
        normalised = self.normalization(features, training=training)
        scale, offset = (one(vectors)[:, None, None] for one in (self.scale, self.offset))
        return normalised * (1.0 + scale) + offset

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]


def latents_and_class(latent_dim: int, num_classes: int | None) -> tuple:
    """What a generator takes and its parts: the inputs, latents, and the embedding of the class.

    Without classes the embedding is `None`, and the latents alone are the inputs.
    """
    latents = keras.Input((latent_dim,), name="latents")
    if num_classes is None:
        return latents, latents, None
    labels = keras.Input((), dtype="int32", name="labels")
    # Never spectrally normalised: that cripples a generator.
    shared = layers.Embedding(num_classes, _EMBEDDING, name="shared_embedding")(labels)
    return [latents, labels], latents, shared


def _channels(width: int, size: tuple[int, int]) -> int:
    """`width` up to 32 pixels; above, half as many for each doubling."""
    return max(16, width * 32 // max(32, *size))


def biggan_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 128,
) -> keras.Model:
    """A residual generator with hierarchical latents: latents (and labels) to images in [0, 1].

    A part of the latents makes the smallest map, and each block's normalisation is steered by a
    part of its own, with an embedding of the class that all blocks share beside it.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024. Images above 32 pixels have
            attention at about 32.
        latent_dim: Length of a latent vector, at least one more than there are blocks.
        num_classes: Number of classes, or `None`.
        width: Channels of maps up to 32 pixels; larger maps have proportionally fewer.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    blocks = len(plan.strides)
    if latent_dim <= blocks:
        raise ValueError(
            f"latent_dim must be at least {blocks + 1} for images of {image_shape}, a part for "
            f"each of {blocks} blocks and one more, got {latent_dim}."
        )
    inputs, latents, shared = latents_and_class(latent_dim, num_classes)
    base = (*plan.base, _channels(width, plan.base))
    features = LatentChunk(0, blocks + 1)(latents)
    features = SpectralDense(base[0] * base[1] * base[2])(features)
    features = layers.Reshape(base)(features)
    attends = max(plan.sizes[0]) > _ATTENTION_SIDE
    for number, stage in enumerate(range(blocks - 1, -1, -1)):
        vectors = LatentChunk(number + 1, blocks + 1)(latents)
        if shared is not None:
            vectors = layers.Concatenate()([shared, vectors])
        strides, size = plan.strides[stage], plan.sizes[stage]
        channels = _channels(width, size)
        residual = layers.ReLU()(SteeredBatchNormalization()([features, vectors]))
        residual = RepeatedUpsampling2D(strides)(residual)
        residual = SpectralConv2D(channels, 3, padding="same")(residual)
        residual = layers.ReLU()(SteeredBatchNormalization()([residual, vectors]))
        residual = SpectralConv2D(channels, 3, padding="same")(residual)
        shortcut = SpectralConv2D(channels, 1)(RepeatedUpsampling2D(strides)(features))
        features = plan.crop(layers.Add()([residual, shortcut]), stage)
        if attends and max(size) <= _ATTENTION_SIDE < max(plan.sizes[stage - 1]):
            features = SelfAttention()(features)
    features = layers.ReLU()(BatchNormalization()(features))
    features = SpectralConv2D(image_shape[-1], 3, padding="same", dtype="float32")(features)
    return keras.Model(inputs, to_images(features), name="generator")


def biggan_discriminator(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    width: int = 128,
    spectral: bool = True,
    minibatch_stddev: bool = False,
) -> keras.Model:
    """A residual discriminator with attention: images (and labels) to logits.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024. Images above 32 pixels have
            attention at about 32.
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
        attention_side=_ATTENTION_SIDE if max(image_shape[:2]) > _ATTENTION_SIDE else None,
    )
