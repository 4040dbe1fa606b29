"""A record of a model's structure, by which a change in place is noticed."""

import functools
import weakref
from typing import Any

import keras
import numpy as np

# Kept for each layer although every layer has them: what it computes with.
_TOLD = {"_layers", "_trainable_variables", "_non_trainable_variables", "_dtype_policy"}
_PLAIN = (bool, int, float, str, bytes, type(None))
# Of a model that was fitted or has predicted; none changes what it computes.
_OF_TRAINER = {
    "history", "stop_training", "stop_evaluating", "stop_predicting", "_eval_epoch_iterator",
    "_functional", "_tracker", "_callback_list",
}  # fmt: skip


class ModelState:
    """The layers of a model and their attributes, without the values of its weights.

    Two records of one model are equal if nothing has changed in between that a traced function
    would not see: layers, variables, activations, dtype policies, constants, options, the loss.
    Objects are compared by identity, through weak references, so the record keeps nothing alive.

    Attributes:
        known: Whether all layers are Keras's or kgan's, whose attributes decide what they compute.
            Code of the user's own may depend on anything.
    """

    def __init__(self, model: keras.Model):
        self._values: list[Any] = []
        self._objects: list[Any] = []
        self.known = True
        for layer in model._flatten_layers():
            kind = type(layer)
            own = kind.__module__.startswith(("keras.", "kgan."))
            self.known = self.known and own and kind is not keras.layers.Lambda
            self._add(layer, 0)
            for name, value in vars(layer).items():
                if name in _TOLD or name not in _bookkeeping():
                    self._values.append(name)
                    self._add(value, 2)
        self._add(getattr(model, "loss", None), 1)

    def _add(self, value: Any, depth: int) -> None:
        if isinstance(value, _PLAIN):
            self._values.append(value)
        elif isinstance(value, dict) and depth:
            for key, one in value.items():
                self._values.append(str(key))
                self._add(one, depth - 1)
        elif isinstance(value, list | tuple) and depth:
            self._values.append(len(value))
            for one in value:
                self._add(one, depth - 1)
        else:
            try:
                self._objects.append(weakref.ref(value))
            except TypeError:
                self._values.append(value if isinstance(value, np.generic) else id(value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModelState) or len(self._objects) != len(other._objects):
            return False
        # An object has one weak reference while it lives, and one that died is no other's.
        same = all(a is b for a, b in zip(self._objects, other._objects, strict=True))
        return same and self._values == other._values

    __hash__ = None  # type: ignore[assignment]


@functools.cache
def _bookkeeping() -> frozenset[str]:
    """The names that Keras gives every layer and model for its own use."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    names = {*vars(keras.layers.Layer()), *vars(model), *vars(model._functional)}
    return frozenset(names | _OF_TRAINER)
