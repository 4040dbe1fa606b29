"""Latents that are distributed as the codes of their class are."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kgan")
class ClassLatents(keras.layers.Layer):
    """Latents of N(0, I) as latents of a Gaussian of their class; at first they stay as they are.

    Args:
        num_classes: Number of classes.

    Shapes: `[latents (batch, latent_dim), labels (batch,)]` to (batch, latent_dim).

    Reference: Mariani et al. 2018, "BAGAN", section 3.3 (arXiv:1803.09655).
    """

    def __init__(self, num_classes: int, **options):
        super().__init__(**options)
        self.num_classes = num_classes

    def build(self, input_shape: Any) -> None:
        size = input_shape[0][-1]
        self.means = self.add_weight(
            name="means", shape=(self.num_classes, size), initializer="zeros", trainable=False
        )
        self.factors = self.add_weight(
            name="factors",
            shape=(self.num_classes, size, size),
            initializer=_identities,
            trainable=False,
        )

    def call(self, inputs: Any) -> Any:
        latents, labels = inputs
        labels = tf.cast(labels, tf.int32)
        turned = tf.linalg.matvec(tf.gather(self.factors, labels), latents)
        return tf.gather(self.means, labels) + turned

    def adapt(self, codes: np.ndarray, labels: np.ndarray) -> None:
        """Takes the Gaussians of codes of real samples.

        The covariance of a class of few is drawn towards that within all classes: by half where it
        has as many codes as a code has values.

        Args:
            codes: Float (n, latent_dim).
            labels: Class numbers, int (n,); a class without codes keeps its Gaussian.
        """
        size = codes.shape[1]
        found = {label: codes[labels == label] for label in np.unique(labels)}
        within = np.concatenate([own - own.mean(axis=0) for own in found.values()])
        pooled = within.T @ within / len(within)
        means, factors = (np.array(one) for one in (self.means, self.factors))
        for label, own in found.items():
            spread = own - own.mean(axis=0)
            shared = (spread.T @ spread + size * pooled) / (len(own) + size)
            means[label] = own.mean(axis=0)
            factors[label] = np.linalg.cholesky(shared + 1e-6 * np.eye(size))
        self.means.assign(means)
        self.factors.assign(factors)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]

    def get_config(self) -> dict:
        return {**super().get_config(), "num_classes": self.num_classes}


def with_class_latents(generator: keras.Model, num_classes: int) -> keras.Model:
    """The generator behind a layer `class_latents`, which leaves all as it is until it adapts.

    Args:
        generator: A model of `[latents, labels]`.
        num_classes: Number of classes.
    """
    latents, labels = (keras.Input(one.shape[1:], dtype=one.dtype, name=one.name)
                       for one in generator.inputs)  # fmt: skip
    turned = ClassLatents(num_classes, dtype="float32", name="class_latents")([latents, labels])
    return keras.Model([latents, labels], generator([turned, labels]), name=generator.name)


def _identities(shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
    return tf.eye(shape[-1], batch_shape=[shape[0]], dtype=dtype)
