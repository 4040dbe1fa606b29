"""A statistic of the batch, shown to the discriminator so that it notices a collapsed generator."""

from typing import Any

import keras
import tensorflow as tf

from kgan.counter import statistics_move


@keras.saving.register_keras_serializable(package="kgan")
class MinibatchStandardDeviation(keras.layers.Layer):
    """Appends one feature map: the standard deviation across a group of neighbouring samples.

    Groups are consecutive samples, so a global batch split over replicas keeps its groups. Outside
    of training the map holds the running mean of the statistic, so that a sample's score does not
    depend on what it is batched with.

    Args:
        group_size: Samples in a group. Where it does not divide the batch (of one replica) it is
            the largest smaller number that does: for a prime number of samples 1, which have no
            deviation.
        momentum: Momentum of the running mean, in [0, 1).

    Shapes: (batch, height, width, channels) to (batch, height, width, channels + 1), or
    (batch, features) to (batch, features + 1).

    Reference: Karras et al. 2018, section 3 (arXiv:1710.10196).
    """

    def __init__(self, group_size: int = 4, *, momentum: float = 0.99, **options):
        super().__init__(**options)
        if group_size < 2:
            raise ValueError(f"group_size must be at least 2, got {group_size}.")
        self.group_size = group_size
        self.momentum = momentum

    def build(self, input_shape: Any) -> None:
        self.moving_statistic = self.add_weight(
            name="moving_statistic",
            shape=(),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="mean",
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        shape = tf.shape(inputs)
        if training:
            sizes = tf.range(self.group_size, 0, -1)
            size = sizes[tf.argmax(tf.equal(shape[0] % sizes, 0))]
            # Division in float32: a bfloat16 variance of nearly equal samples is noise.
            groups = tf.reshape(
                tf.cast(inputs, "float32"), tf.concat([[shape[0] // size, size], shape[1:]], 0)
            )
            deviation = tf.sqrt(tf.math.reduce_variance(groups, axis=1) + 1e-8)
            statistic = tf.reduce_mean(deviation, axis=list(range(1, len(deviation.shape))))
            if statistics_move():
                self.moving_statistic.assign(
                    self.momentum * tf.convert_to_tensor(self.moving_statistic)
                    + (1.0 - self.momentum) * tf.reduce_mean(statistic)
                )
            column = tf.repeat(statistic, size)
        else:
            column = tf.fill([shape[0]], tf.convert_to_tensor(self.moving_statistic))
        column = tf.reshape(column, [-1, *[1] * (len(inputs.shape) - 1)])
        feature = tf.broadcast_to(column, tf.concat([shape[:-1], [1]], 0))
        return tf.concat([inputs, tf.cast(feature, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        return {
            **super().get_config(),
            "group_size": self.group_size,
            "momentum": self.momentum,
        }
