"""Keras's callbacks that act on `model.optimizer`, for models with an optimizer a player."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from kgan.history import Logs

ACTING = (
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ReduceLROnPlateau,
    keras.callbacks.SwapEMAWeights,
)
"""Callbacks that act on `model.optimizer`: `fit` lets them act on every player's, each apart."""


class OfOptimizer(keras.callbacks.Callback):
    """Lets a callback that acts on `model.optimizer` act on one player's optimizer.

    `fit` does so for every player where it is given one of Keras's own such callbacks.

    Args:
        name: Name of the optimizer, such as "g_optimizer".
        callback: The callback, such as `keras.callbacks.LearningRateScheduler(schedule)`.

    Example:

    ```python
    slower = keras.callbacks.ReduceLROnPlateau("d_loss", factor=0.5)
    gan.fit(dataset, callbacks=[kgan.callbacks.OfOptimizer("d_optimizer", slower)])
    ```
    """

    def __init__(self, name: str, callback: keras.callbacks.Callback):
        super().__init__()
        self.name = name
        self.callback = callback

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        if getattr(model, self.name, None) is None:
            raise ValueError(
                f"optimizer must be one of {', '.join(getattr(model, 'playing', ()))} of this "
                f"{type(model).__name__}, got {self.name!r}."
            )
        self.callback.set_model(_Seen(model, self.name))

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self.callback.set_params(params)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        # A copy: the learning rate that Keras would add has one name for all optimizers.
        self.callback.on_epoch_end(epoch, dict(logs or {}))


class _OfEveryLoss(keras.callbacks.Callback):
    """Lets `TerminateOnNaN`, which looks at one log called "loss", look at all that `fit` logs."""

    def __init__(self, callback: keras.callbacks.Callback):
        super().__init__()
        self.callback = callback

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self.callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self.callback.set_params(params)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        logs = dict(logs or {})
        broken = [value for value in logs.values() if not np.isfinite(value)]
        self.callback.on_train_batch_end(batch, logs | {"loss": broken[0]} if broken else logs)


def _passed_on(hook: str) -> Any:
    def method(self: Any, *arguments: Any, **options: Any) -> None:
        getattr(self.callback, hook)(*arguments, **options)

    return method


for _hook in (
    *(f"on_{what}_{when}" for what in ("train", "test", "predict") for when in ("begin", "end")),
    *(
        f"on_{what}_batch_{when}"
        for what in ("train", "test", "predict")
        for when in ("begin", "end")
    ),
    "on_epoch_begin",
    "on_epoch_end",
):
    for _class in (OfOptimizer, _OfEveryLoss):
        if _hook not in vars(_class):
            setattr(_class, _hook, _passed_on(_hook))


class _Seen:
    """A model whose `optimizer` is one of several; everything else is the model's."""

    def __init__(self, model: keras.Model, name: str):
        self._model = model
        self._name = name

    @property
    def optimizer(self) -> keras.optimizers.Optimizer:
        return getattr(self._model, self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class Optimizers(keras.callbacks.Callback):
    """Logs each optimizer's learning rate, and ends those with averages as Keras ends them."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs |= self.model.learning_rates()

    def on_train_end(self, logs: Logs = None) -> None:
        for name in self.model.playing:
            optimizer = getattr(self.model, name)
            inner = getattr(optimizer, "inner_optimizer", optimizer)
            # The variables that it was built on, whatever was frozen since.
            optimizer.finalize_variable_values(inner._trainable_variables)


def with_optimizers(callbacks: Any, names: Sequence[str]) -> list[keras.callbacks.Callback]:
    """The callbacks of a `fit`, those that act on an optimizer once for each.

    `TerminateOnNaN` looks at all losses.

    Args:
        callbacks: What `fit` was given: a callback, several, or `None`.
        names: Names of the optimizers.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        raise ValueError("callbacks must be a list of callbacks, got a keras CallbackList.")
    given: Iterable[keras.callbacks.Callback] = (
        [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else callbacks or []
    )
    found: list[keras.callbacks.Callback] = [Optimizers()]
    for callback in given:
        if isinstance(callback, ACTING):
            # Each has a state of its own, such as the best loss so far; the first is the given one.
            found += [
                OfOptimizer(name, copy.copy(callback) if number else callback)
                for number, name in enumerate(names)
            ]
        elif isinstance(callback, keras.callbacks.TerminateOnNaN):
            found.append(_OfEveryLoss(callback))
        else:
            found.append(callback)
    return found
