"""A compiled loop whose batch shrinks as examples finish."""

from collections.abc import Callable

import tensorflow as tf

from kgan.attacks import held_inputs

State = dict[str, tf.Tensor]


# Sizes of batches are whole quarters of a halving of their first size.
PARTS = 4


def bucket(size: tf.Tensor, active: tf.Tensor) -> tf.Tensor:
    """The size that a batch shrinks to, at most a third more than its `active` examples.

    Args:
        size: Its first size.
        active: How many of its examples are not done.

    Returns:
        One of a few sizes (of 256: 256, 192, 128, 96, 64, ...) rather than the exact count, because
        convolution kernels are prepared for each shape, and doing so at every step would cost more
        than it saves.
    """
    active = tf.maximum(active, 1)
    halvings = tf.bitwise.right_shift(size, tf.range(31))
    fits = tf.cast(halvings >= active, tf.int32)
    half = tf.gather(halvings, tf.maximum(tf.reduce_sum(fits) - 1, 0))
    part = tf.maximum(half // PARTS, 1)
    return tf.minimum(-(-active // part) * part, half)


def run(
    step: Callable[[tf.Tensor, State], State],
    state: State,
    steps: tf.Tensor | int,
    *,
    results: tuple[str, ...] = ("adversarial", "success"),
    finish: Callable[[State], State] | None = None,
) -> State:
    """Repeats `state = step(i, state)` until `steps` are made or every example is done.

    Whenever enough of the batch is done (see `bucket`), the examples that are done leave it. Their
    results stay as they were when `done` was set, even if their rows remain as padding in later
    steps.

    Args:
        step: Function of one step; must treat each example independently of the others, and keep
            the shape and dtype of every tensor.
        state: Tensors by name, whose first axis is the example; "done" (bool) marks the examples
            that are finished.
        steps: Number of steps.
        results: Names of the tensors to return.
        finish: Function applied once to the examples that are left after the last step.

    Returns:
        The tensors named in `results`, for all examples in their original order.
    """
    full = {name: state[name] for name in results}
    first = tf.shape(state["done"])[0]
    rows = tf.range(first)

    def write(rows: tf.Tensor, state: State, full: State) -> State:
        return {
            name: tf.tensor_scatter_nd_update(full[name], rows[:, None], state[name])
            for name in results
        }

    def shrink(rows: tf.Tensor, state: State, full: State) -> tuple[tf.Tensor, State, State]:
        size = tf.shape(rows)[0]
        active = size - tf.math.count_nonzero(state["done"], dtype=tf.int32)
        target = bucket(first, active)

        def smaller():
            # Active examples come first; finished ones serve as padding.
            keep = tf.argsort(tf.cast(state["done"], tf.int32), stable=True)[:target]
            kept = {name: tf.gather(value, keep) for name, value in state.items()}
            return tf.gather(rows, keep), kept, write(rows, state, full)

        return tf.cond(target < size, smaller, lambda: (rows, state, full))

    def advance(change: Callable[[State], State], state: State) -> State:
        done = state["done"]
        # The examples that are left, for a model with held inputs.
        with held_inputs.rows(state.get("rows")):
            new = change(state)
        for name in results:
            new[name] = tf.raw_ops.Select(condition=done, x=state[name], y=new[name])
        return {**new, "done": done | new["done"]}

    def body(i, rows, state, full):
        return i + 1, *shrink(rows, advance(lambda s: step(i, s), state), full)

    def condition(i, rows, state, full):
        return (i < steps) & ~tf.reduce_all(state["done"])

    def any_batch(tensors: State) -> dict[str, tf.TensorShape]:
        return {name: tf.TensorShape([None, *value.shape[1:]]) for name, value in tensors.items()}

    rows, state, full = shrink(rows, state, full)
    _, rows, state, full = tf.while_loop(
        condition,
        body,
        (tf.constant(0), rows, state, full),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None]),
            any_batch(state),
            any_batch(full),
        ),
    )
    if finish is not None:
        state = advance(finish, state)
    return write(rows, state, full)
