"""Tensors in JSON as TensorFlow Serving's REST contract has them, by row and by column."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
import tensorflow as tf

from kgan.serving import json_document
from kgan.serving.errors import ServingError, invalid
from kgan.serving.json_document import is_named, short
from kgan.serving.signature import Arrays, Signature, Spec

_DTYPES = (
    *(tf.float32, tf.float64, tf.bool, tf.string),
    *(tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint32, tf.uint64),
)
"""What JSON can hold by TensorFlow Serving's contract."""

# Of so many floats each is written as TensorFlow Serving writes it. In larger arrays, such as
# pictures, that takes twenty times as long; the shortest text of the same value stands there.
_FEW = 256


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
        ServingError: INVALID_ARGUMENT; UNIMPLEMENTED for inputs of types that JSON cannot hold.
    """
    document = json_document.read(body)
    signature = find(signature_name(document))
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {signature.name!r} takes no inputs.")
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {short(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist."
        )
    if "instances" in document:
        return PredictBody(signature, _rows(document["instances"], signature.inputs), True)
    if "inputs" in document:
        return PredictBody(signature, _columns(document["inputs"], signature.inputs), False)
    raise invalid("Missing 'inputs' or 'instances' key")


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that a body names; empty for the default."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(f"'signature_name' key must be a string value, got {short(name)}.")
    return name


def dump(outputs: Arrays, *, by_row: bool) -> bytes:
    """The reply's body: `predictions` by row, else `outputs`; one output alone has no name.

    Raises:
        ServingError: INVALID_ARGUMENT for outputs that cannot be written so.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    for name, array in outputs.items():
        dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
        if dtype not in _DTYPES and array.size:
            raise invalid(
                "Failed to write JSON value for tensor type: "
                f"{'half' if dtype == tf.float16 else dtype.name} (the output {name!r}); gRPC "
                "sends it."
            )
    if by_row:
        _check_rows(outputs)
    key = "predictions" if by_row else "outputs"
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        return _encode({key: _value(name, array)})
    if not by_row:
        return _encode({key: {name: _value(name, array) for name, array in outputs.items()}})
    rows = zip(*(_each_row(name, array) for name, array in outputs.items()), strict=True)
    return _encode({key: [dict(zip(outputs, row, strict=True)) for row in rows]})


def _check_rows(outputs: Arrays) -> None:
    remedy = "ask with 'inputs' in place of 'instances'."
    rows = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information: {remedy}")
        if rows not in (None, len(array)):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: "
                f"{rows}: {remedy}"
            )
        rows = len(array)


def _rows(instances: Any, specs: Mapping[str, Spec]) -> Arrays:
    if not isinstance(instances, list):
        raise invalid(f"Expecting 'instances' to be an list/array, got {short(instances)}.")
    if not instances:
        raise invalid("No values in 'instances' array")
    if not is_named(instances[0]):
        if len(specs) > 1:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input "
                f"tensors required: each with {', '.join(specs)}."
            )
        name, spec = next(iter(specs.items()))
        if any(map(is_named, instances)):
            raise invalid("Expecting value/list but got object in 'instances' list")
        return {name: _array(name, instances, spec)}
    for number, row in enumerate(instances):
        if not is_named(row):
            raise invalid(f"Expecting object but got list at item {number} of 'instances' list")
        if set(row) != set(specs):
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{short(row)} keys must be equal to: {', '.join(specs)}"
            )
    return {
        name: _array(name, [row[name] for row in instances], spec) for name, spec in specs.items()
    }


def _columns(inputs: Any, specs: Mapping[str, Spec]) -> Arrays:
    if not is_named(inputs):
        if len(specs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                f"required: {', '.join(specs)}."
            )
        name, spec = next(iter(specs.items()))
        return {name: _array(name, inputs, spec)}
    for name in specs:
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    # A key that the signature does not have is passed over, as TensorFlow Serving does.
    return {name: _array(name, inputs[name], spec) for name, spec in specs.items()}


def _array(name: str, value: Any, spec: Spec) -> np.ndarray:
    if spec.dtype not in _DTYPES:
        raise ServingError(
            "UNIMPLEMENTED",
            f"Conversion of JSON Value: {short(value)} to type: {spec.dtype.name} (the input "
            f"{name!r}); gRPC takes it.",
        )
    if _depth(value) > json_document.DEPTH:
        raise invalid(f"the input {name!r} is nested deeper than {json_document.DEPTH} lists.")
    if spec.dtype == tf.string:
        return _string_array(name, value)
    wanted = np.dtype(spec.dtype.as_numpy_dtype)
    try:
        array = np.array(value)
        if array.dtype == object and wanted.kind == "f":
            array = _of_large_integers(array)
        if array.dtype == np.float64 and wanted == np.uint64:
            array = _of_whole_numbers(array, value)
    except (ValueError, OverflowError):
        raise invalid(
            f"the input {name!r} must have one shape, got lists of unexpected size."
        ) from None
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
            f"JSON Value: {short(value)} is not of expected type: {spec.dtype.name} (the input "
            f"{name!r})"
        )
    with np.errstate(over="ignore"):
        return array.astype(wanted, copy=False)


def _of_large_integers(array: np.ndarray) -> np.ndarray:
    """Integers beyond 64 bits as floats; anything else as it is."""
    if all(type(item) in (int, float) for item in array.flat):
        return array.astype(np.float64)
    return array


def _of_whole_numbers(array: np.ndarray, value: Any) -> np.ndarray:
    """Whole numbers as they are: of some below 2**63 and some above numpy makes floats."""
    exact = np.array(value, object)
    if all(type(item) is int and item >= 0 for item in exact.flat):
        return exact.astype(np.uint64)
    return array


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


def _has_bool(value: Any) -> bool:
    if isinstance(value, list):
        if value and not isinstance(value[0], list):
            return bool in set(map(type, value))
        return any(map(_has_bool, value))
    return isinstance(value, bool)


def _string_array(name: str, value: Any) -> np.ndarray:
    array = np.array(_strings(name, value, 0), object)
    # Of lists of different lengths numpy makes an array of lists.
    if any(isinstance(item, list) for item in array.ravel()):
        raise invalid(f"the input {name!r} must have one shape, got lists of unexpected size.")
    return array


def _strings(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, list):
        if depth == json_document.DEPTH:
            raise invalid(f"the input {name!r} is nested deeper than {depth} lists.")
        return [_strings(name, item, depth + 1) for item in value]
    return json_document.string(f"the input {name!r}", value)


def _value(name: str, array: np.ndarray) -> Any:
    """What the encoder takes for an array."""
    texts = _texts(name, array)
    if texts is not None:
        return orjson.Fragment(json_document.nested(texts, array.shape))
    if array.ndim and array.dtype.itemsize != 2:
        return np.ascontiguousarray(array)
    return array.tolist()


def _each_row(name: str, array: np.ndarray) -> list[Any]:
    """What the encoder takes for each row."""
    texts = _texts(name, array)
    if texts is None:
        return array.tolist() if array.ndim == 1 else list(np.ascontiguousarray(array))
    size = len(texts) // max(1, len(array))
    return [
        orjson.Fragment(json_document.nested(texts[at * size : (at + 1) * size], array.shape[1:]))
        for at in range(len(array))
    ]


def _texts(name: str, array: np.ndarray) -> list[str] | None:
    """The text of each value; `None` where the encoder writes the values as they are meant."""
    flat = array.ravel()
    if array.dtype == object:
        as_base64 = name.endswith("_bytes")
        return list(map(json_document.in_base64 if as_base64 else json_document.quoted, flat))
    if array.dtype.kind == "f" and (array.size <= _FEW or not np.isfinite(flat).all()):
        return json_document.decimals(flat)
    return None


def _encode(reply: Any) -> bytes:
    return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)
