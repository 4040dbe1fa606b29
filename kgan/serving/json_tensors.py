"""Tensors in JSON as TensorFlow Serving's REST contract has them, by row and by column."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
import tensorflow as tf

from kgan.serving.errors import invalid
from kgan.serving.signature import Arrays, Signature, Spec


class PredictBody(NamedTuple):
    """A request's body.

    Attributes:
        signature: What it asks for.
        inputs: Arrays by name.
        by_row: Whether it had `instances`, so that the reply has `predictions`.
    """

    signature: Signature
    inputs: Arrays
    by_row: bool


def parse(body: bytes, find: Callable[[str], Signature]) -> PredictBody:
    """Reads a body with `instances` or `inputs`.

    Args:
        body: JSON; NaN, Infinity and -Infinity may stand where a number may.
        find: The signature by its name, empty for the default.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    document = _document(body)
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(f"signature_name must be a string, got {_short(name)}.")
    signature = find(name)
    if ("instances" in document) == ("inputs" in document):
        raise invalid("the body must have one of the keys 'inputs' and 'instances'.")
    if "instances" in document:
        return PredictBody(signature, _rows(document["instances"], signature.inputs), True)
    return PredictBody(signature, _columns(document["inputs"], signature.inputs), False)


def dump(outputs: Arrays, *, by_row: bool) -> bytes:
    """The reply's body: `predictions` by row, else `outputs`; one output alone has no name."""
    values = {name: _values(name, array) for name, array in outputs.items()}
    if not by_row:
        return _encode({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    sizes = {len(array) if array.ndim else None for array in outputs.values()}
    if len(sizes) > 1 or None in sizes:
        raise invalid("the outputs have no common rows: ask with 'inputs' in place of 'instances'.")
    if len(values) == 1:
        return _encode({"predictions": next(iter(values.values()))})
    names = list(values)
    rows = zip(*values.values(), strict=True)
    return _encode({"predictions": [dict(zip(names, row, strict=True)) for row in rows]})


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Slower, but it knows NaN and Infinity, and says where the mistake is.
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise invalid(f"JSON Parse error: {error or 'nested too deeply'}") from None
    if not isinstance(document, dict):
        raise invalid(f"the body must be a JSON object, got {_short(document)}.")
    return document


def _rows(instances: Any, specs: Mapping[str, Spec]) -> Arrays:
    if not isinstance(instances, list) or not instances:
        raise invalid(f"instances must be a list with values, got {_short(instances)}.")
    if not _is_named(instances[0]):
        if len(specs) > 1:
            raise invalid(f"each of the instances must be an object with {', '.join(specs)}.")
        name, spec = next(iter(specs.items()))
        return {name: _array(name, instances, spec)}
    for number, row in enumerate(instances):
        if not _is_named(row) or set(row) != set(specs):
            raise invalid(
                f"instance {number} must be an object with {', '.join(sorted(specs))}, "
                f"got {_short(row)}."
            )
    return {
        name: _array(name, [row[name] for row in instances], spec) for name, spec in specs.items()
    }


def _columns(inputs: Any, specs: Mapping[str, Spec]) -> Arrays:
    if not _is_named(inputs):
        if len(specs) > 1:
            raise invalid(f"inputs must be an object with {', '.join(sorted(specs))}.")
        name, spec = next(iter(specs.items()))
        return {name: _array(name, inputs, spec)}
    if missing := set(specs) - set(inputs):
        raise invalid(f"inputs lacks {', '.join(sorted(missing))}.")
    # A key that the signature does not have is passed over, as TensorFlow Serving does.
    return {name: _array(name, inputs[name], spec) for name, spec in specs.items()}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _array(name: str, value: Any, spec: Spec) -> np.ndarray:
    if spec.dtype == tf.string:
        return _string_array(name, value)
    wanted = np.dtype(spec.dtype.as_numpy_dtype)
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        raise invalid(f"the input {name!r} must have one shape, got a ragged list.") from None
    kinds = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}.get(wanted.kind, "")
    # An empty list is of any type; booleans among numbers become numbers, so they are looked for.
    fits = array.size == 0 or array.dtype.kind in kinds
    if fits and wanted.kind != "b" and _has_bool(value):
        fits = False
    if fits and wanted.kind in "iu" and array.size:
        info = np.iinfo(wanted)
        fits = int(array.min()) >= info.min and int(array.max()) <= info.max
    if not fits:
        raise invalid(
            f"the input {name!r} must hold values of type {spec.dtype.name}, got {_short(value)}."
        )
    with np.errstate(over="ignore"):
        return array.astype(wanted, copy=False)


def _has_bool(value: Any) -> bool:
    if isinstance(value, list):
        if value and not isinstance(value[0], list):
            return bool in set(map(type, value))
        return any(map(_has_bool, value))
    return isinstance(value, bool)


def _string_array(name: str, value: Any) -> np.ndarray:
    array = np.array(_strings(name, value), object)
    # Of lists of different lengths numpy makes an array of lists.
    if any(isinstance(item, list) for item in array.ravel()):
        raise invalid(f"the input {name!r} must have one shape, got a ragged list.")
    return array


def _strings(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_strings(name, item) for item in value]
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise invalid(f"the input {name!r} holds half of a surrogate pair.") from None
    if _is_base64(value):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error:
            raise invalid(f"the input {name!r} holds bad base64.") from None
    raise invalid(f"the input {name!r} must hold strings, got {_short(value)}.")


def _values(name: str, array: np.ndarray) -> Any:
    """What the encoder takes: an array of finite numbers as it is, else lists."""
    if array.dtype.kind in "OS":
        return _text(array.tolist(), as_base64=name.endswith("_bytes"))
    if array.dtype in (np.float32, np.float64) and np.isfinite(array).all():
        return np.ascontiguousarray(array)
    if array.dtype.kind in "iub" and array.dtype.itemsize in (1, 4, 8):
        return np.ascontiguousarray(array)
    if array.dtype.kind != "f":
        array = array.astype(np.float32) if array.dtype.kind == "V" else array
    return array.tolist()


def _text(value: Any, *, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_text(item, as_base64=as_base64) for item in value]
    if as_base64:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode(errors="replace")


def _encode(reply: Any) -> bytes:
    if _holds_nonfinite(reply):
        # orjson would write null; TensorFlow Serving writes these tokens.
        return json.dumps(reply, default=lambda array: array.tolist()).encode()
    return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)


def _holds_nonfinite(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_nonfinite, value.values()))
    if isinstance(value, list):
        return any(map(_holds_nonfinite, value))
    return isinstance(value, float) and not np.isfinite(value)


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
