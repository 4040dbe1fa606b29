"""A count that is saved with the weights and is the same on every replica."""

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
