"""Applying gradients the same on one replica and on many."""

from collections.abc import Sequence

import keras
import tensorflow as tf


def apply_gradients(
    optimizer: keras.optimizers.Optimizer, gradients: Sequence, variables: Sequence
) -> None:
    """`optimizer.apply` whose decisions are about the sum over replicas.

    Keras clips, and looks for infinities of a scaled loss, before it sums: on many replicas it
    would clip each share for itself, and miss what is infinite on all replicas but the first. Where
    an optimizer does either, the sum is taken and clipped first.

    Args:
        optimizer: Built on the variables.
        gradients: This replica's, of a loss that is divided by the number of replicas.
        variables: As many.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if replicas > 1 and (scales or clips(optimizer)):
        context = tf.distribute.get_replica_context()
        total = _clipped(optimizer, context.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients)))
        # Shorter than the limit now, so that Keras's own clipping changes nothing.
        gradients = [gradient / replicas for gradient in total]
    optimizer.apply(gradients, variables)


def check_optimizer(name: str, optimizer: keras.optimizers.Optimizer) -> None:
    """Raises `ValueError` for what cannot be the same on many replicas."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    inner = getattr(optimizer, "inner_optimizer", None)
    if replicas > 1 and inner is not None and clips(inner):
        raise ValueError(
            f"{name} must not clip gradients inside a LossScaleOptimizer on {replicas} replicas: "
            "Keras clips before it sums over replicas. Leave one of the two out."
        )


def clips(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer clips gradients."""
    return any(
        getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm", "clipvalue")
    )


def _clipped(optimizer: keras.optimizers.Optimizer, gradients: list) -> list:
    if optimizer.clipnorm:
        return [tf.clip_by_norm(gradient, optimizer.clipnorm) for gradient in gradients]
    if optimizer.global_clipnorm:
        return tf.clip_by_global_norm(gradients, optimizer.global_clipnorm)[0]
    if optimizer.clipvalue:
        limit = optimizer.clipvalue
        return [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]
    return gradients
