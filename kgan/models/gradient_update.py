"""Applying gradients the same on one replica and on many."""

import contextlib
import functools
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

# Options of Keras's optimizers that act at some steps only, and what does the same.
_AT_SOME_STEPS = {
    "gradient_accumulation_steps": "Larger batches do the same.",
    "ema_overwrite_frequency": "keras.callbacks.SwapEMAWeights puts averages in place too.",
}


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor | tf.IndexedSlices | None],
    variables: Sequence[keras.Variable],
    *,
    in_one_kernel: bool = False,
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
        in_one_kernel: Whether Adam updates a variable by TensorFlow's one kernel, and not by
            Keras's dozen operations, each a walk through memory. The formula is the same, its
            roundings are not.

    Raises:
        ValueError: On several replicas, for an optimizer that acts at some steps only.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    clipping = optimizer.inner_optimizer if scales else optimizer
    if replicas > 1:
        _check_updates(clipping, replicas)
    if replicas > 1 and (scales or _clips(clipping)):
        found = [tf.convert_to_tensor(one) for one in gradients if one is not None]
        context = tf.distribute.get_replica_context()
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, found)
        if _clips(clipping):
            total = _clipped(clipping, total, optimizer.dynamic_scale if scales else 1.0)
        # Shorter than the limit now, so that Keras's own clipping changes nothing.
        shares = iter([one / replicas for one in total])
        gradients = [None if one is None else next(shares) for one in gradients]
    alone = contextlib.nullcontext() if tf.distribute.has_strategy() else _alone(clipping)
    with alone, _in_one_kernel(clipping) if in_one_kernel else contextlib.nullcontext():
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


@contextlib.contextmanager
def _in_one_kernel(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Within it, Adam updates each variable by one kernel; other optimizers are as they are."""
    # A subclass has a rule of its own; AdamW decays the weights before it.
    if type(optimizer) not in (keras.optimizers.Adam, keras.optimizers.AdamW) or optimizer.amsgrad:
        yield
        return
    # Replicas come here in turns: each enters before the first of them leaves, which must not take
    # it from the others.
    within = getattr(optimizer, "_within_one_kernel", 0)
    optimizer._within_one_kernel = within + 1
    optimizer.update_step = functools.partial(_adam_step, optimizer)
    try:
        yield
    finally:
        optimizer._within_one_kernel -= 1
        if not optimizer._within_one_kernel:
            del optimizer.update_step


def _adam_step(
    optimizer: keras.optimizers.Adam,
    gradient: tf.Tensor | tf.IndexedSlices,
    variable: tf.Variable,
    learning_rate: tf.Tensor,
) -> None:
    """Adam's update of one variable, the formula of Keras's."""
    if isinstance(gradient, tf.IndexedSlices) or variable.dtype != tf.float32:
        type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
        return
    index = optimizer._get_variable_index(variable)
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations) + 1, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=tf.pow(tf.cast(optimizer.beta_1, tf.float32), step),
        beta2_power=tf.pow(tf.cast(optimizer.beta_2, tf.float32), step),
        lr=tf.cast(learning_rate, tf.float32),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, tf.float32),
    )


def _check_updates(optimizer: keras.optimizers.Optimizer, replicas: int) -> None:
    """Raises where an optimizer would act at some steps only, in a branch of the graph."""
    for option, instead in _AT_SOME_STEPS.items():
        value = getattr(optimizer, option, None)
        if value:
            raise ValueError(
                f"{option} of the optimizer {optimizer.name} must be None on {replicas} replicas, "
                f"got {value}: they cannot wait for each other in a branch of the graph. {instead}"
            )


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
