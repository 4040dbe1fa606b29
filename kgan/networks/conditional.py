"""How a network is told the class: an embedding beside its features, conditional normalisation
(generator), projection (discriminator).
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from kgan.networks.normalization import BatchNormalization
from kgan.networks.spectral import SpectralDense, SpectralEmbedding

_LABEL_FEATURES = 32


def with_label(
    inputs, features, num_classes: int | None, *, deviation: float | None = None
) -> tuple:
    """Features with a learned embedding of the class beside them, where there are classes.

    Args:
        inputs: The symbolic input of the network so far.
        features: Symbolic features (batch, channels).
        num_classes: Number of classes; `None` for none.
        deviation: Standard deviation of the embedding at the start; by default uniform within .05.

    Returns:
        What the network takes, `inputs` or `[inputs, labels]`, and the features.
    """
    if num_classes is None:
        return inputs, features
    labels = keras.Input((), dtype="int32", name="labels")
    initializer = (
        "uniform" if deviation is None else keras.initializers.RandomNormal(stddev=deviation)
    )
    embedding = layers.Embedding(
        num_classes, _LABEL_FEATURES, embeddings_initializer=initializer, name="label_embedding"
    )
    return [inputs, labels], layers.Concatenate()([features, embedding(labels)])


@keras.saving.register_keras_serializable(package="kgan")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalisation with a scale and an offset for each class.

    Args:
        num_classes: Number of classes.

    Shapes: `[features (batch, ..., channels), labels (batch,)]` to the features' shape. Statistics
    are taken over the global batch (synchronised between replicas).

    Reference: Dumoulin et al. 2017, equation 5 (arXiv:1610.07629); in generators: Miyato & Koyama
    2018 (arXiv:1802.05637).
    """

    def __init__(self, num_classes: int, **options):
        super().__init__(**options)
        self.num_classes = num_classes
        self.normalization = BatchNormalization(
            center=False, scale=False, dtype=self.dtype_policy, name="normalization"
        )

    def build(self, input_shape: Any) -> None:
        features_shape, _ = input_shape
        self.normalization.build(features_shape)
        table = (self.num_classes, features_shape[-1])
        self.gamma = self.add_weight(name="gamma", shape=table, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=table, initializer="zeros")

    def call(self, inputs: Any, training: bool = False) -> Any:
        features, labels = inputs
        labels = tf.cast(labels, "int32")
        normalised = self.normalization(features, training=training)
        middle = [1] * (len(features.shape) - 2)
        table_shape = [-1, *middle, features.shape[-1]]
        gamma = tf.reshape(tf.gather(self.gamma, labels), table_shape)
        beta = tf.reshape(tf.gather(self.beta, labels), table_shape)
        return normalised * gamma + beta

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="kgan")
class Projection(keras.layers.Layer):
    """The logit of a conditional discriminator: psi(features) + <embedding(label), features>.

    Args:
        num_classes: Number of classes.
        spectral: Whether both matrices are spectrally normalised.

    Shapes: `[features (batch, channels), labels (batch,)]` to (batch, 1).

    Reference: Miyato & Koyama 2018, equation 3 (arXiv:1802.05637).
    """

    def __init__(self, num_classes: int, *, spectral: bool = False, **options):
        super().__init__(**options)
        self.num_classes = num_classes
        self.spectral = spectral

    def build(self, input_shape: Any) -> None:
        (_, channels), _ = input_shape
        dense = SpectralDense if self.spectral else keras.layers.Dense
        embedding = SpectralEmbedding if self.spectral else keras.layers.Embedding
        self.unconditional = dense(1, dtype=self.dtype_policy, name="unconditional")
        self.embedding = embedding(
            self.num_classes,
            channels,
            embeddings_initializer="glorot_uniform",
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.unconditional.build((None, channels))
        self.embedding.build((None,))

    def call(self, inputs: Any) -> Any:
        features, labels = inputs
        inner = tf.reduce_sum(self.embedding(labels) * features, axis=1, keepdims=True)
        return self.unconditional(features) + inner

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0][0], 1)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "spectral": self.spectral,
        }
