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
