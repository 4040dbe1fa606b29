"""Counts that are saved with the weights and are the same on every replica."""

import keras


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
