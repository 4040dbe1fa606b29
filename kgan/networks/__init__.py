"""Networks as functional Keras models, and the layers that they need.

Every pair has the same signatures:

    generator(sample_shape, latent_dim, *, num_classes=None, width=...)
    discriminator(sample_shape, *, num_classes=None, width=..., spectral=..., minibatch_stddev=...)

    encoder(sample_shape, latent_dim, *, num_classes=None, width=...)
    decoder(sample_shape, latent_dim, *, num_classes=None, width=...)
"""

from collections.abc import Callable
from typing import NamedTuple

import keras

from kgan.networks.attention import SelfAttention
from kgan.networks.autoencoder import dcgan_decoder, dcgan_encoder
from kgan.networks.biggan import (
    LatentChunk,
    SteeredBatchNormalization,
    biggan_discriminator,
    biggan_generator,
)
from kgan.networks.biggan_deep import (
    FirstChannels,
    biggan_deep_discriminator,
    biggan_deep_generator,
)
from kgan.networks.blocks import BlockConv2D
from kgan.networks.class_copula import ClassCopula, whole_of
from kgan.networks.class_latents import ClassLatents, with_class_latents
from kgan.networks.conditional import ConditionalBatchNormalization, Projection
from kgan.networks.dcgan import dcgan_discriminator, dcgan_generator
from kgan.networks.encoder_decoder import encoder_decoder_generator
from kgan.networks.equalized import (
    EqualizedConv2D,
    EqualizedDense,
    FilteredConv2D,
    PixelNormalization,
    ScaledLeakyReLU,
)
from kgan.networks.fastgan import (
    GatedLinear,
    fastgan_decoder,
    fastgan_discriminator,
    fastgan_generator,
)
from kgan.networks.fourier import FourierFeatures
from kgan.networks.grouped import GroupedConv2D
from kgan.networks.growing import FadeIn, GrowingConvolutions
from kgan.networks.keeping import KEEPING, keeping_brightness, keeping_known, residual
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.networks.mlp import fine_mlp_discriminator, mlp_discriminator, mlp_generator
from kgan.networks.noise import Dropout, GaussianNoise
from kgan.networks.normalization import BatchNormalization, InstanceNormalization
from kgan.networks.output_layers import LinearImages
from kgan.networks.padding import ReflectionPadding2D
from kgan.networks.patch_projector import patch_projector
from kgan.networks.perturbation import perturbation_network
from kgan.networks.private_counts import private_counts, private_counts_by_class
from kgan.networks.private_encoder import encoder_of_counts, private_encoder
from kgan.networks.progan import progan_discriminator, progan_generator
from kgan.networks.r3gan import r3gan_discriminator, r3gan_generator
from kgan.networks.resampling import (
    FilteredDownsampling2D,
    FilteredUpsampling2D,
    RepeatedUpsampling2D,
)
from kgan.networks.resnet import resnet_discriminator, resnet_generator
from kgan.networks.spectral import SpectralConv2D, SpectralDense, SpectralEmbedding
from kgan.networks.style import (
    LabelledMapping,
    LearnedConstant,
    ModulatedConv2D,
    NoiseInput,
    StyleMapping,
)
from kgan.networks.style_encoder import style_encoder
from kgan.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator
from kgan.networks.super_resolution import PixelShuffle, super_resolution_generator
from kgan.networks.table import (
    LearntDeviations,
    table_classifier,
    table_decoder,
    table_discriminator,
    table_generator,
    table_posterior,
)
from kgan.networks.table_copula import GaussianCopula
from kgan.networks.table_encoder import TableEncoder
from kgan.networks.translation import (
    multiscale_discriminator,
    patch_discriminator,
    translation_generator,
)
from kgan.networks.unet import unet_generator


class NetworkPair(NamedTuple):
    """The two builders of a GAN's networks.

    Attributes:
        generator: Of the generator.
        discriminator: Of the discriminator.
        decoder: Of the network that decodes the discriminator's map, where it has one:
            `decoder(sample_shape, discriminator, *, width=...)`.
    """

    generator: Callable[..., keras.Model]
    discriminator: Callable[..., keras.Model]
    decoder: Callable[..., keras.Model] | None = None


class AutoencoderPair(NamedTuple):
    """The two builders of an autoencoder's networks."""

    encoder: Callable[..., keras.Model]
    decoder: Callable[..., keras.Model]


NETWORKS: dict[str, NetworkPair] = {
    "dcgan": NetworkPair(dcgan_generator, dcgan_discriminator),
    "resnet": NetworkPair(resnet_generator, resnet_discriminator),
    "mlp": NetworkPair(mlp_generator, mlp_discriminator),
    "mlp-fine": NetworkPair(mlp_generator, fine_mlp_discriminator),
    "fastgan": NetworkPair(fastgan_generator, fastgan_discriminator, fastgan_decoder),
    "progan": NetworkPair(progan_generator, progan_discriminator),
    "biggan": NetworkPair(biggan_generator, biggan_discriminator),
    "biggan-deep": NetworkPair(biggan_deep_generator, biggan_deep_discriminator),
    "r3gan": NetworkPair(r3gan_generator, r3gan_discriminator),
    "stylegan2": NetworkPair(stylegan2_generator, stylegan2_discriminator),
}

AUTOENCODERS: dict[str, AutoencoderPair] = {"dcgan": AutoencoderPair(dcgan_encoder, dcgan_decoder)}
TRANSLATION_NETWORKS: dict[str, NetworkPair] = {
    "resnet": NetworkPair(translation_generator, patch_discriminator),
    "unet": NetworkPair(unet_generator, patch_discriminator),
    "encoder-decoder": NetworkPair(encoder_decoder_generator, patch_discriminator),
    "super-resolution": NetworkPair(super_resolution_generator, patch_discriminator),
}
"""Pairs that translate images; each generator has some of the options:

    generator(image_shape, *, channels=None, width=..., halvings=..., blocks=..., bottleneck=...)
    discriminator(image_shape, *, width=..., stages=None)
"""

PATCH_DISCRIMINATORS: dict[str, Callable[..., keras.Model]] = {
    "patch": patch_discriminator,
    "multiscale": multiscale_discriminator,
}
"""What judges images by patches: discriminator(image_shape, *, width=..., stages=None)."""

TABLE_NETWORKS: dict[str, NetworkPair] = {
    "dense": NetworkPair(table_generator, table_discriminator),
}
"""Pairs for encoded rows of a table:

    generator(input_size, row_size, *, width=..., depth=...)
    discriminator(input_size, *, width=..., depth=..., dropout=...)
"""

__all__ = [
    "AUTOENCODERS",
    "KEEPING",
    "NETWORKS",
    "PATCH_DISCRIMINATORS",
    "TABLE_NETWORKS",
    "TRANSLATION_NETWORKS",
    "AutoencoderPair",
    "BatchNormalization",
    "BlockConv2D",
    "ClassCopula",
    "ClassLatents",
    "ConditionalBatchNormalization",
    "Dropout",
    "EqualizedConv2D",
    "EqualizedDense",
    "FadeIn",
    "FilteredConv2D",
    "FilteredDownsampling2D",
    "FilteredUpsampling2D",
    "FirstChannels",
    "FourierFeatures",
    "GatedLinear",
    "GaussianCopula",
    "GaussianNoise",
    "GroupedConv2D",
    "GrowingConvolutions",
    "InstanceNormalization",
    "LabelledMapping",
    "LatentChunk",
    "LearnedConstant",
    "LearntDeviations",
    "LinearImages",
    "MinibatchStandardDeviation",
    "ModulatedConv2D",
    "NetworkPair",
    "NoiseInput",
    "PixelNormalization",
    "PixelShuffle",
    "Projection",
    "ReflectionPadding2D",
    "RepeatedUpsampling2D",
    "ScaledLeakyReLU",
    "SelfAttention",
    "SpectralConv2D",
    "SpectralDense",
    "SpectralEmbedding",
    "SteeredBatchNormalization",
    "StyleMapping",
    "TableEncoder",
    "biggan_deep_discriminator",
    "biggan_deep_generator",
    "biggan_discriminator",
    "biggan_generator",
    "dcgan_decoder",
    "dcgan_discriminator",
    "dcgan_encoder",
    "dcgan_generator",
    "encoder_decoder_generator",
    "encoder_of_counts",
    "fastgan_decoder",
    "fastgan_discriminator",
    "fastgan_generator",
    "fine_mlp_discriminator",
    "keeping_brightness",
    "keeping_known",
    "mlp_discriminator",
    "mlp_generator",
    "multiscale_discriminator",
    "patch_discriminator",
    "patch_projector",
    "perturbation_network",
    "private_counts",
    "private_counts_by_class",
    "private_encoder",
    "progan_discriminator",
    "progan_generator",
    "r3gan_discriminator",
    "r3gan_generator",
    "residual",
    "resnet_discriminator",
    "resnet_generator",
    "style_encoder",
    "stylegan2_discriminator",
    "stylegan2_generator",
    "super_resolution_generator",
    "table_classifier",
    "table_decoder",
    "table_discriminator",
    "table_generator",
    "table_posterior",
    "translation_generator",
    "unet_generator",
    "whole_of",
    "with_class_latents",
]
