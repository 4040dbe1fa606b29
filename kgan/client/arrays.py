"""Converts arrays for requests to a server and from its answers."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def narrow(array: np.ndarray) -> np.ndarray:
    """float32 in place of Python's float64."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def given(value: ArrayLike) -> np.ndarray:
    """An input as the caller gave it, as an array."""
    array = np.asarray(value)
    return np.asarray(value, object) if array.dtype.kind in "SU" else narrow(array)


def as_type(array: np.ndarray, wanted: np.dtype | None) -> np.ndarray:
    """The array converted to the wanted type, if its values fit."""
    if wanted is None or array.dtype == wanted or not array.size:
        return array if wanted is None else array.astype(wanted)
    if wanted.kind == "f" and array.dtype.kind in "fiu":
        return array.astype(wanted)
    if wanted.kind in "iu" and array.dtype.kind in "iu":
        info = np.iinfo(wanted)
        if info.min <= int(array.min()) and int(array.max()) <= info.max:
            return array.astype(wanted)
    return array


def from_json(value: Any) -> np.ndarray:
    """The tensor that a JSON value holds, as an array; floats are Python's float64."""
    array = np.array(value)
    if array.dtype.kind == "U":
        # numpy's own strings lose zeros at their end.
        return np.array(value, object)
    if array.dtype == object:
        flat = [base64.b64decode(item["b64"]) for item in array.ravel()]
        return _objects(flat, array.shape)
    return array


def outgrows_float32(array: np.ndarray) -> bool:
    """Whether an array has floats so large that float32 skips whole numbers there."""
    return array.dtype == np.float64 and bool(np.abs(np.nan_to_num(array)).max(initial=0) > 2**24)


def text(name: str, array: np.ndarray) -> np.ndarray:
    """Strings of TensorFlow's, which are bytes, as text."""
    if array.dtype != object or name.endswith("_bytes"):
        return array
    flat = [value.decode(errors="replace") for value in array.ravel()]
    return _objects(flat, array.shape)


def _objects(flat: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def to_json(array: np.ndarray) -> Any:
    """An array as JSON has it: lists, bytes as base64."""
    if array.dtype != object:
        return array.tolist()
    flat = [
        value if isinstance(value, str) else {"b64": base64.b64encode(value).decode()}
        for value in array.ravel().tolist()
    ]
    return _objects(flat, array.shape).tolist()
