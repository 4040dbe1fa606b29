"""From a loss of each value to one number: the only place where samples are averaged."""

import tensorflow as tf


def per_sample(values: tf.Tensor) -> tf.Tensor:
    """The mean over all axes but the batch, shape (batch,).

    A discriminator may give one logit a sample or a map of them (patches, steps, scales): here is
    the one mean that makes one number of a map.

    Args:
        values: Shape (batch, ...).
    """
    if values.shape.rank == 1:
        return values
    return tf.reduce_mean(values, axis=list(range(1, values.shape.rank)))


def reduce(values: tf.Tensor) -> tf.Tensor:
    """The mean over the global batch, as this replica's share of it.

    `optimizer.apply` sums gradients over replicas, so each replica's mean is divided by their
    number; the shares add up to the mean. Report `tf.reduce_mean` of the samples, not this.

    Args:
        values: Shape (local batch,), or (local batch, ...), of which `per_sample` is taken.

    Returns:
        A float32 scalar.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return tf.reduce_mean(per_sample(tf.cast(values, tf.float32))) / replicas
