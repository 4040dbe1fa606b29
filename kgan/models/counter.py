"""A step count that is saved with its model and is the same on every replica."""

import keras


def add_counter(model: keras.Model, name: str) -> keras.Variable:
    """A variable of the model that counts from 0; add to it with `assign_add(1)`."""
    return model.add_weight(
        name=name,
        shape=(),
        dtype="int64",
        initializer="zeros",
        trainable=False,
        aggregation="only_first_replica",
    )
