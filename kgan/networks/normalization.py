"""The batch normalisation that every generator uses, and one of each image for itself."""

from typing import Any

import keras
import tensorflow as tf

from kgan.counter import statistics_move

# Above it, an operation for each image would make the graph long.
_MOST_APART = 32


@keras.saving.register_keras_serializable(package="kgan")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` over the global batch, alike on any number of replicas.

    In a pass that some steps skip, as those of lazy penalties, replicas cannot wait for each other:
    there each takes the moments of its own share.

    Where one replica holds the whole batch it runs TensorFlow's fused kernel, which takes half the
    time of Keras's formula.

    Shapes: (batch, height, width, channels) or (batch, features), unchanged.
    """

    def __init__(self, *, momentum: float = 0.9, epsilon: float = 1e-5, **options):
        super().__init__(momentum=momentum, epsilon=epsilon, **{**options, "synchronized": True})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training:
            return super().call(inputs, training=training, mask=mask)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        normalise = self._fused if replicas == 1 else self._synchronized
        outputs, mean, variance = normalise(inputs)
        if statistics_move():
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
        return outputs

    def _fused(self, inputs):
        channels = inputs.shape[-1]
        flat = len(inputs.shape) == 2
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(inputs, [-1, 1, 1, channels]) if flat else inputs,
            scale=tf.cast(self.gamma, "float32") if self.scale else tf.ones([channels]),
            offset=tf.cast(self.beta, "float32") if self.center else tf.zeros([channels]),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the unbiased variance, Keras keeps the biased one.
        count = tf.cast(tf.size(inputs) // channels, "float32")
        outputs = tf.reshape(outputs, tf.shape(inputs)) if flat else outputs
        return outputs, mean, variance * (count - 1.0) / count

    def _synchronized(self, inputs):
        # The mean first and then the squared distance from it, as the fused kernel does: the
        # difference of two sums loses digits.
        axes = list(range(len(inputs.shape) - 1))
        values = tf.cast(inputs, "float32")
        together = _over_replicas if statistics_move() else tf.identity
        mean = together(tf.reduce_mean(values, axes))
        variance = together(tf.reduce_mean(tf.square(values - mean), axes))
        outputs = tf.nn.batch_normalization(
            values,
            mean,
            variance,
            tf.cast(self.beta, "float32") if self.center else None,
            tf.cast(self.gamma, "float32") if self.scale else None,
            self.epsilon,
        )
        return tf.cast(outputs, inputs.dtype), mean, variance

    def _move(self, average, value) -> None:
        average.assign(average * self.momentum + value * (1.0 - self.momentum))


@keras.saving.register_keras_serializable(package="kgan")
class InstanceNormalization(keras.layers.GroupNormalization):
    """Each map of each image to mean 0 and variance 1, without weights.

    Keras's `GroupNormalization` of as many groups as there are channels. In training each image
    goes through TensorFlow's fused kernel of batch normalisation, as a batch of one.

    Args:
        epsilon: Added to the variance.

    Shapes: (batch, height, width, channels), unchanged.

    Reference:
        Ulyanov et al. 2016, "Instance normalization: the missing ingredient for fast stylization"
        (arXiv:1607.08022).
    """

    any_size = True
    normalizes_groups = True

    def __init__(self, *, epsilon: float = 1e-5, **options):
        super().__init__(groups=-1, epsilon=epsilon, center=False, scale=False, **options)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return super().call(inputs)
        batch = inputs.shape[0]
        if batch is None or batch > _MOST_APART or inputs.dtype == tf.float64:
            return self._plain(inputs)
        return tf.concat([self._fused(one) for one in tf.split(inputs, batch)], axis=0)

    def _plain(self, inputs: tf.Tensor) -> tf.Tensor:
        # Keras's moments stop the mean's gradient, which makes second derivatives wrong.
        values = inputs if inputs.dtype == tf.float64 else tf.cast(inputs, tf.float32)
        centred = values - tf.reduce_mean(values, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), [1, 2], keepdims=True)
        return tf.cast(centred * tf.math.rsqrt(variance + self.epsilon), inputs.dtype)

    def _fused(self, image: tf.Tensor) -> tf.Tensor:
        channels = image.shape[-1]
        outputs, *_ = tf.raw_ops.FusedBatchNormV3(
            x=image,
            scale=tf.ones([channels]),
            offset=tf.zeros([channels]),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        return outputs

    def get_config(self):
        config = super().get_config()
        for name in ("groups", "axis", "center", "scale"):
            config.pop(name)
        return config


def _over_replicas(value):
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return value
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)
