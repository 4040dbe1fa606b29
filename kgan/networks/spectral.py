"""Spectral normalisation as a reparametrisation: the layer computes with kernel / sigma(kernel).

The kernel variable itself is never overwritten, and the gradient flows through the division.
`power_iteration` refines the estimate of sigma. `kgan.models.Players` calls it once for each update
of a network, on every layer that has it, so that real and generated samples of one step are judged
by the same discriminator.

Reference: Miyato et al. 2018, equations 8 to 12 (arXiv:1802.05957).
"""

from typing import Any

import keras
import tensorflow as tf


class _Spectral:
    """Adds the singular vector, and what is computed with it, to a Keras layer."""

    def _build_spectral(self, kernel) -> None:
        self._spectral_kernel = kernel
        self.right_vector = self.add_weight(  # type: ignore[attr-defined]
            name="right_vector",
            shape=(kernel.shape[-1],),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
            dtype="float32",
            autocast=False,
            # Every replica holds the same kernel and so computes the same vector.
            aggregation="only_first_replica",
        )

    def normalise(self, kernel: tf.Tensor) -> tf.Tensor:
        """Returns `kernel` divided by the estimate of its largest singular value."""
        matrix = _matrix(kernel)
        right = tf.stop_gradient(_unit(tf.convert_to_tensor(self.right_vector)))
        left = tf.stop_gradient(_unit(tf.linalg.matvec(matrix, right)))
        sigma = tf.tensordot(left, tf.linalg.matvec(matrix, right), 1)
        return tf.cast(kernel, "float32") / sigma

    def power_iteration(self) -> None:
        """One round of the power method on the current kernel."""
        matrix = _matrix(tf.convert_to_tensor(self._spectral_kernel))
        left = _unit(tf.linalg.matvec(matrix, tf.convert_to_tensor(self.right_vector)))
        right = _unit(tf.linalg.matvec(matrix, left, transpose_a=True))
        self.right_vector.assign(right)

    # Conv2D, Dense and Embedding save the kernel and bias alone; a layer saves all it has.
    def save_own_variables(self, store) -> None:
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store) -> None:
        keras.layers.Layer.load_own_variables(self, store)


@keras.saving.register_keras_serializable(package="kgan")
class SpectralConv2D(_Spectral, keras.layers.Conv2D):
    """`keras.layers.Conv2D` whose kernel, as a (height * width * in, out) matrix, has norm 1."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self._build_spectral(self.kernel)

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, tf.cast(self.normalise(kernel), inputs.dtype))


@keras.saving.register_keras_serializable(package="kgan")
class SpectralDense(_Spectral, keras.layers.Dense):
    """`keras.layers.Dense` whose kernel has spectral norm 1."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self._build_spectral(self.kernel)

    def call(self, inputs: Any) -> Any:
        outputs = tf.linalg.matmul(inputs, tf.cast(self.normalise(self.kernel), inputs.dtype))
        if self.bias is not None:
            outputs = outputs + tf.cast(self.bias, outputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)


@keras.saving.register_keras_serializable(package="kgan")
class SpectralEmbedding(_Spectral, keras.layers.Embedding):
    """`keras.layers.Embedding` whose (classes, features) matrix has spectral norm 1."""

    def build(self, input_shape=None):
        super().build(input_shape)
        self._build_spectral(self.embeddings)

    def call(self, inputs: Any) -> Any:
        table = self.normalise(self.embeddings)
        return tf.cast(tf.gather(table, tf.cast(inputs, "int32")), self.compute_dtype)


def _matrix(kernel: tf.Tensor) -> tf.Tensor:
    kernel = tf.cast(kernel, "float32")
    return tf.reshape(kernel, [-1, kernel.shape[-1]])


def _unit(vector: tf.Tensor) -> tf.Tensor:
    return vector / tf.maximum(tf.norm(vector), 1e-12)
