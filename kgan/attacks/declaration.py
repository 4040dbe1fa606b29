"""Checks what is declared of a victim before its model is asked anything."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from kgan.attacks.criteria import MISCLASSIFICATION
from kgan.attacks.criterion import Criterion
from kgan.attacks.function_model import FunctionModel
from kgan.attacks.held_inputs import HeldInputs


def as_model(model: keras.Model | Callable[[np.ndarray], Any], classes: int | None) -> keras.Model:
    """The model, or a function as one."""
    if isinstance(model, keras.Model):
        if classes is not None:
            raise ValueError(f"classes must be left out for a model, got {classes}.")
        return model
    if not callable(model) or isinstance(model, keras.layers.Layer):
        raise TypeError(f"model must be a keras.Model or a function, got {type(model).__name__}.")
    return FunctionModel(model, classes=classes)


def checked_criterion(
    criterion: Criterion | None, head: str | None, classes: int | None
) -> Criterion:
    if criterion is None:
        return MISCLASSIFICATION
    if not isinstance(criterion, Criterion):
        raise TypeError(
            "criterion must be one of kgan.attacks.criteria.CRITERIA, such as TopK(5), got "
            f"{criterion!r}."
        )
    if criterion.needs_scores and classes is not None:
        raise ValueError(
            f"{criterion!r} needs scores, and a function that returns class numbers shows none: "
            "leave the criterion out."
        )
    if criterion.takes == "values" and head is not None:
        raise ValueError(f"head must be left out for {criterion!r}, got {head!r}.")
    return criterion


def checked_held(
    model: keras.Model, input: str | None, held: Mapping[str, Any] | None
) -> HeldInputs | None:
    if input is None and not held:
        return None
    if input is None:
        raise ValueError("held needs input=, the name of the input that takes the images.")
    found = HeldInputs(input, held or {})
    found.check_model(model)
    return found
