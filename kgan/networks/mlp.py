"""Dense generator and discriminator for points and tables.

The generator is deep and narrow: to put mass on separate modes it has to bend sharply in between,
and depth buys steepness at less cost than width.
"""

import keras
from keras import layers

from kgan.networks.fourier import FourierFeatures
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.networks.normalization import BatchNormalization
from kgan.networks.output_layers import to_logits
from kgan.networks.resolution import check_counts
from kgan.networks.spectral import SpectralDense

_GENERATOR_DEPTH = 8
_DISCRIMINATOR_DEPTH = 3


def mlp_generator(
    sample_shape: tuple[int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 64,
) -> keras.Model:
    """A dense generator: latents (and labels) to points in their own units.

    Args:
        sample_shape: (features,).
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`. A one-hot label is appended to the latents.
        width: Units of each of the eight hidden layers, which are batch normalised.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`.
    """
    check_counts(latent_dim=latent_dim, num_classes=num_classes, width=width)
    latents = keras.Input((latent_dim,), name="latents")
    inputs, features = latents, latents
    if num_classes is not None:
        labels = keras.Input((), dtype="int32", name="labels")
        inputs = [latents, labels]
        one_hot = layers.CategoryEncoding(num_classes, output_mode="one_hot")(
            layers.Reshape((1,))(labels)
        )
        features = layers.Concatenate()([latents, one_hot])
    for _ in range(_GENERATOR_DEPTH):
        features = layers.Dense(width, use_bias=False, kernel_initializer="he_normal")(features)
        features = BatchNormalization()(features)
        features = layers.ReLU()(features)
    points = layers.Dense(_features(sample_shape), dtype="float32", name="points")(features)
    return keras.Model(inputs, points, name="generator")


def mlp_discriminator(
    sample_shape: tuple[int],
    *,
    num_classes: int | None = None,
    width: int = 64,
    spectral: bool = False,
    minibatch_stddev: bool = False,
) -> keras.Model:
    """A dense discriminator on Fourier features: points (and labels) to logits.

    Its octaves resolve structure from about 0.03 to 4 in the points' units: scale a table's columns
    to about unit deviation. Finer modes come out much too narrow.

    Args:
        sample_shape: (features,).
        num_classes: Number of classes, or `None`. The class enters by projection.
        width: Units of each of the three hidden layers.
        spectral: Whether every kernel is spectrally normalised.
        minibatch_stddev: Whether the last features get the minibatch standard deviation.

    Returns:
        A functional model of `points` (batch, features), or `[points, labels]`, to logits (batch,).
    """
    return _discriminator(sample_shape, num_classes, width, spectral, minibatch_stddev, (-2, 5))


def fine_mlp_discriminator(
    sample_shape: tuple[int],
    *,
    num_classes: int | None = None,
    width: int = 64,
    spectral: bool = False,
    minibatch_stddev: bool = False,
) -> keras.Model:
    """As `mlp_discriminator`, with octaves that resolve structure from about 0.008 on."""
    return _discriminator(sample_shape, num_classes, width, spectral, minibatch_stddev, (-2, 7))


def _discriminator(sample_shape, num_classes, width, spectral, minibatch_stddev, octaves):
    check_counts(num_classes=num_classes, width=width)
    dense = SpectralDense if spectral else layers.Dense
    points = keras.Input((_features(sample_shape),), name="points")
    features = FourierFeatures(octaves)(points)
    for _ in range(_DISCRIMINATOR_DEPTH):
        features = dense(width, kernel_initializer="he_normal")(features)
        features = layers.LeakyReLU(0.2)(features)
    if minibatch_stddev:
        features = MinibatchStandardDeviation()(features)
    return to_logits(points, features, num_classes, spectral)


def _features(sample_shape: tuple[int, ...]) -> int:
    if len(sample_shape) != 1:
        raise ValueError(
            f"mlp networks take points of shape (features,), got {sample_shape}. "
            "For images use 'dcgan' or 'resnet'."
        )
    return sample_shape[0]
