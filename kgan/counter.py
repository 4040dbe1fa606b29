"""Counts and running statistics, which are saved with the weights and alike on every replica."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras

_moves: contextvars.ContextVar[bool] = contextvars.ContextVar("moves", default=True)


def add_counter(layer: keras.layers.Layer, name: str) -> keras.Variable:
    """A variable of the layer or model that counts from 0; add to it with `assign_add(1)`."""
    return layer.add_weight(
        name=name,
        shape=(),
        dtype="int64",
        initializer="zeros",
        trainable=False,
        aggregation="only_first_replica",
    )


def steps_done(model: keras.Model) -> int:
    """Steps that a model has been trained for: its own counter's, else its optimizer's."""
    counter = getattr(model, "step", None)
    return int((model.optimizer.iterations if counter is None else counter).numpy())


@contextlib.contextmanager
def unmoved() -> Iterator[None]:
    """Within it, layers leave their running statistics and counts as they are.

    A model does so around a pass that some steps skip, where replicas cannot agree on a value.
    Layers that draw need `kgan.random.drawing` around such a pass.
    """
    token = _moves.set(False)
    try:
        yield
    finally:
        _moves.reset(token)


def statistics_move() -> bool:
    """Whether layers shall move their running statistics and counts."""
    return _moves.get()
