"""Dense generator and discriminator for encoded rows of a table.

Reference: Xu et al. 2019, section 4.4 (arXiv:1907.00503).
"""

import keras
from keras import layers

from kgan.networks.noise import Dropout
from kgan.networks.normalization import BatchNormalization


def table_generator(
    input_size: int, row_size: int, *, width: int = 256, depth: int = 2
) -> keras.Model:
    """A dense generator whose blocks are concatenated to what they are given.

    Args:
        input_size: Length of a latent vector and a condition together.
        row_size: Length of an encoded row.
        width: Units of each block.
        depth: How many blocks.

    Returns:
        A functional model of `latents` (batch, input_size) to `rows` (batch, row_size), float32
        before any activation: what tanh and softmax are taken of.
    """
    latents = keras.Input((input_size,), name="latents")
    features = latents
    for _ in range(depth):
        # The batch norm has its own shift.
        block = layers.Dense(width, use_bias=False)(features)
        block = layers.ReLU()(BatchNormalization()(block))
        features = layers.Concatenate()([block, features])
    rows = layers.Dense(row_size, dtype="float32", name="rows")(features)
    return keras.Model(latents, rows, name="generator")


def table_discriminator(
    input_size: int, *, width: int = 256, depth: int = 2, dropout: float = 0.5
) -> keras.Model:
    """A dense discriminator of packs of rows.

    Args:
        input_size: Length of a pack: of its rows, each with its condition, side by side.
        width: Units of each layer.
        depth: How many layers.
        dropout: Share of its units that a layer drops in training.

    Returns:
        A functional model of `rows` (batch, input_size) to float32 logits (batch,).
    """
    rows = keras.Input((input_size,), name="rows")
    features = rows
    for _ in range(depth):
        features = layers.LeakyReLU(0.2)(layers.Dense(width)(features))
        features = Dropout(dropout)(features)
    logits = layers.Dense(1, dtype="float32")(features)
    logits = layers.Reshape((), dtype="float32", name="logits")(logits)
    return keras.Model(rows, logits, name="discriminator")


def table_classifier(
    input_size: int, classes: int, *, width: int = 256, depth: int = 4, dropout: float = 0.5
) -> keras.Model:
    """A dense classifier of encoded rows that lack the column which it tells.

    Args:
        input_size: Length of an encoded row without that column.
        classes: How many categories the column has.
        width: Units of each layer.
        depth: How many layers.
        dropout: Share of its units that a layer drops in training.

    Returns:
        A functional model of `rows` (batch, input_size) to float32 logits (batch, classes).

    Reference: Zhao et al. 2021, CTAB-GAN (arXiv:2102.08369).
    """
    rows = keras.Input((input_size,), name="rows")
    features = rows
    for _ in range(depth):
        features = layers.LeakyReLU(0.2)(layers.Dense(width)(features))
        features = Dropout(dropout)(features)
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    return keras.Model(rows, logits, name="classifier")


def table_posterior(
    row_size: int, latent_dim: int, *, width: int = 128, depth: int = 2
) -> keras.Model:
    """A dense network of encoded rows to a diagonal Gaussian of their latents.

    Args:
        row_size: Length of an encoded row.
        latent_dim: Length of a latent vector.
        width: Units of each layer.
        depth: How many layers.

    Returns:
        A functional model of `rows` (batch, row_size) to float32 means and logarithms of variances,
        both (batch, latent_dim).
    """
    rows = keras.Input((row_size,), name="rows")
    features = rows
    for _ in range(depth):
        features = layers.Dense(width, activation="relu")(features)
    mean, log_variance = (
        layers.Dense(latent_dim, dtype="float32", name=name)(features)
        for name in ("mean", "log_variance")
    )
    return keras.Model(rows, [mean, log_variance], name="posterior")


def table_decoder(
    latent_dim: int, row_size: int, *, numbers: int, width: int = 128, depth: int = 2
) -> keras.Model:
    """A dense network of latents to encoded rows, and what the places of numbers vary by.

    Args:
        latent_dim: Length of a latent vector.
        row_size: Length of an encoded row.
        numbers: How many columns of numbers there are.
        width: Units of each layer.
        depth: How many layers.

    Returns:
        A functional model of `latents` (batch, latent_dim) to `rows` (batch, row_size), float32
        before any activation, and the standard deviation of each place (batch, numbers).
    """
    latents = keras.Input((latent_dim,), name="latents")
    features = latents
    for _ in range(depth):
        features = layers.Dense(width, activation="relu")(features)
    rows = layers.Dense(row_size, dtype="float32", name="rows")(features)
    deviations = LearntDeviations(numbers, dtype="float32", name="deviations")(rows)
    return keras.Model(latents, [rows, deviations], name="decoder")


@keras.saving.register_keras_serializable(package="kgan")
class LearntDeviations(layers.Layer):
    """A standard deviation of its own for each place, whatever the input, in [0.01, 1].

    Args:
        size: How many.
    """

    def __init__(self, size: int, **options):
        super().__init__(**options)
        self.size = size

    def build(self, input_shape):
        self.deviation = self.add_weight(
            name="deviation",
            shape=(self.size,),
            initializer=keras.initializers.Constant(0.1),
            constraint=_Between(0.01, 1.0),
        )

    def call(self, inputs):
        ones = keras.ops.ones((keras.ops.shape(inputs)[0], 1), self.compute_dtype)
        return ones * keras.ops.clip(self.deviation, 0.01, 1.0)

    def get_config(self) -> dict:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="kgan")
class _Between(keras.constraints.Constraint):
    """Keeps weights between two values."""

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def __call__(self, value):
        return keras.ops.clip(value, self.low, self.high)

    def get_config(self) -> dict:
        return {"low": self.low, "high": self.high}
