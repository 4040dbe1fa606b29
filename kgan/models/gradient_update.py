"""Applying gradients the same on one replica and on many."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor | tf.IndexedSlices | None],
    variables: Sequence[keras.Variable],
) -> None:
    """`optimizer.apply` whose decisions are about the sum over replicas.

    Keras clips, and looks for infinities of a scaled loss, before it sums: on many replicas it
    would clip each share for itself, and miss what is infinite on all replicas but the first. Where
    an optimizer does either, the sum is taken and clipped first.

    Args:
        optimizer: Optimizer that was built on the variables.
        gradients: This replica's gradients of a loss that is divided by the number of replicas;
            `None` where the loss does not depend on the variable.
        variables: As many variables.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    clipping = optimizer.inner_optimizer if scales else optimizer
    if replicas > 1 and (scales or _clips(clipping)):
        found = [tf.convert_to_tensor(one) for one in gradients if one is not None]
        context = tf.distribute.get_replica_context()
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, found)
        if _clips(clipping):
            total = _clipped(clipping, total, optimizer.dynamic_scale if scales else 1.0)
        # Shorter than the limit now, so that Keras's own clipping changes nothing.
        shares = iter([one / replicas for one in total])
        gradients = [None if one is None else next(shares) for one in gradients]
    with contextlib.nullcontext() if tf.distribute.has_strategy() else _alone(clipping):
        optimizer.apply(gradients, variables)


@contextlib.contextmanager
def _alone(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Within it, an optimizer does not sum gradients over replicas.

    TensorFlow registers a gradient of each such sum for as long as the process lives, and with it
    the whole graph of the step; without a strategy there is nothing to sum.
    """
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    try:
        yield
    finally:
        del optimizer._all_reduce_sum_gradients


def _clips(optimizer: keras.optimizers.Optimizer) -> bool:
    return any(
        getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm", "clipvalue")
    )


def _clipped(
    optimizer: keras.optimizers.Optimizer, gradients: list[tf.Tensor], scale: tf.Tensor | float
) -> list[tf.Tensor]:
    """The gradients of a loss that was multiplied by `scale`, clipped as those of the loss."""
    if optimizer.clipnorm:
        clipped = [tf.clip_by_norm(one, optimizer.clipnorm * scale) for one in gradients]
    elif optimizer.global_clipnorm:
        clipped, _ = tf.clip_by_global_norm(gradients, optimizer.global_clipnorm * scale)
    else:
        limit = optimizer.clipvalue * scale
        clipped = [tf.clip_by_value(one, -limit, limit) for one in gradients]
    # What is infinite stays so: a LossScaleOptimizer has to see it.
    pairs = zip(clipped, gradients, strict=True)
    return [tf.where(tf.math.is_finite(whole), short, whole) for short, whole in pairs]
