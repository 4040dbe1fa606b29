"""What a classifier takes, and how images in [0, 1] become that."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.checks import PIXEL_AXES
from kgan.attacks.function_model import FunctionModel

LAYOUTS = ("channels_last", "channels_first")
# Numbers of channels by which a layout is told where nothing declares it.
_USUAL_CHANNELS = (1, 3, 4)
_BYTES = (0.0, 255.0)


@dataclasses.dataclass(frozen=True)
class Intake:
    """The conversion of images in [0, 1], channels last, to what a model takes.

    Attributes:
        bounds: What black and white become, (low, high).
        mean: Subtracted after that: a number, or one for each channel; `None` for none.
        std: Divided by after that, likewise.
        layout: "channels_last" or "channels_first".
        whole: Whether the model takes whole numbers. Values are rounded then, and the gradient
            passes the rounding as it comes.
    """

    bounds: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: str = "channels_last"
    whole: bool = False

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        low, high = self.bounds
        if self.bounds != (0.0, 1.0):
            images = low + (high - low) * images
        if self.whole:
            images += tf.stop_gradient(tf.round(images) - images)
        if self.mean is not None:
            images -= tf.constant(self.mean, images.dtype)
        if self.std is not None:
            images /= tf.constant(self.std, images.dtype)
        if self.layout == "channels_first":
            last = images.shape.rank - 1
            images = tf.transpose(images, [0, last, *range(1, last)])
        return images

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that the model gets for images of this shape, both without the batch."""
        return (shape[-1], *shape[:-1]) if self.layout == "channels_first" else shape

    def __str__(self) -> str:
        low, high = self.bounds
        text = f"images are float32 in [0, 1], which the model takes in [{low:g}, {high:g}]"
        if self.bounds == (0.0, 1.0):
            text = "images are float32 in [0, 1]"
        if self.whole:
            text += ", rounded to whole numbers"
        if self.mean is not None or self.std is not None:
            text += f", less mean {_listed(self.mean, 0)}, over std {_listed(self.std, 1)}"
        return text + (", channels first" if self.layout == "channels_first" else "")


def _listed(values: tuple[float, ...] | None, default: float) -> str:
    return ", ".join(f"{value:g}" for value in values or (default,))


def declared(
    bounds: Sequence[float] | None, mean: Any, std: Any, layout: str | None, *, dtype: str
) -> Intake:
    """The intake that was declared, completed by what the model's input dtype shows.

    Args:
        bounds: What black and white become; [0, 255] for a uint8 input, otherwise [0, 1] if `None`.
        mean: A number, one for each channel, or `None`.
        std: Likewise, above 0.
        layout: A row of `LAYOUTS`; channels last if `None`.
        dtype: The dtype of the model's input.

    Raises:
        ValueError: For values that are no such thing, or whole numbers of unknown bounds.
    """
    whole = dtype.startswith(("int", "uint"))
    if whole and bounds is None and dtype != "uint8":
        raise ValueError(
            f"the model takes {dtype}: declare what black and white are, such as "
            "kgan.attacks.Victim(model, bounds=(0, 255))."
        )
    if whole and (mean is not None or std is not None):
        raise ValueError(f"mean and std must be left out for a model that takes {dtype}.")
    limits = (_BYTES if whole else (0.0, 1.0)) if bounds is None else check_bounds(bounds)
    if dtype == "uint8" and not _BYTES[0] <= limits[0] < limits[1] <= _BYTES[1]:
        raise ValueError(
            f"bounds must lie in [0, 255] for a model that takes uint8, got {list(limits)}."
        )
    return Intake(
        bounds=limits,
        mean=_per_channel("mean", mean),
        std=_per_channel("std", std, positive=True),
        layout=layout or LAYOUTS[0],
        whole=whole,
    )


def check_bounds(bounds: Sequence[float]) -> tuple[float, float]:
    """The bounds as two floats, checked."""
    values = tuple(float(value) for value in np.ravel(bounds))
    if len(values) != 2 or not np.isfinite(values).all() or not values[0] < values[1]:
        raise ValueError(
            f"bounds must be two numbers, the lower first, such as (0, 255), got {bounds!r}."
        )
    return values[0], values[1]


def _per_channel(name: str, values: Any, positive: bool = False) -> tuple[float, ...] | None:
    if values is None:
        return None
    numbers = tuple(float(value) for value in np.ravel(values))
    if not numbers or not np.isfinite(numbers).all() or (positive and min(numbers) <= 0):
        kind = "numbers above 0" if positive else "numbers"
        raise ValueError(f"{name} must be a number or one for each channel, {kind}, got {values}.")
    return numbers


def input_dtype(model: keras.Model, name: str | None = None) -> str:
    """The dtype of a model's input (of this name); float32 where the model does not say."""
    if isinstance(model, FunctionModel):
        return model.takes
    try:
        (found, *_) = [one for one in model.inputs if name in (None, one.name)]
        return keras.backend.standardize_dtype(found.dtype)
    except (AttributeError, IndexError, TypeError, ValueError):
        return "float32"


def check_inner(model: keras.Model) -> None:
    """Raises `ValueError` where a model inside this one takes whole numbers."""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.Model) and "int" in (dtype := input_dtype(layer)):
            raise ValueError(
                f"{model.name} contains {layer.name}, which takes {dtype}, and no gradient passes "
                "the cast. Pass that model itself, or make it anew with a float32 input."
            )


def layout_is_open(model: Any, shape: tuple[int, ...]) -> bool:
    """Whether images of this shape may have their channels first, and nothing says otherwise."""
    if len(shape) != len(PIXEL_AXES):
        return False
    first = shape[0] in _USUAL_CHANNELS and shape[-1] not in _USUAL_CHANNELS
    layers = model._flatten_layers() if isinstance(model, keras.Model) else ()
    # Flatten has the attribute too, and says nothing by its default.
    return first or any(
        getattr(layer, "data_format", None) == "channels_first" and hasattr(layer, "rank")
        for layer in layers
    )
