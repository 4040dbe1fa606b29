"""Tensors in gRPC: TensorProtos read and written as TensorFlow's `Tensor::FromProto` and
`AsProtoField` do, but never more of them in memory than was said."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.serving.errors import invalid

# Where the values of a type lie.
_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int64: "int64_val",
    tf.uint64: "uint64_val",
    tf.uint32: "uint32_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
    tf.complex64: "scomplex_val",
    tf.complex128: "dcomplex_val",
    **dict.fromkeys((tf.int32, tf.int16, tf.int8, tf.uint16, tf.uint8), "int_val"),
    **dict.fromkeys((tf.float16, tf.bfloat16), "half_val"),
}
_BY_ENUM = {dtype.as_datatype_enum: (dtype, field) for dtype, field in _FIELDS.items()}
# So many values are written at a time.
_STEP = 2**16
# What numpy can hold.
_RANK = 32


def array_of(name: str, proto: Any, *, limit: int) -> np.ndarray:
    """The array of a TensorProto.

    As in TensorFlow, fewer values than the shape has mean that the last one (or zero) stands for
    the rest, and values beyond the shape are passed over. So a few bytes may ask for any memory:
    the shape is checked before anything is allocated.

    Args:
        name: The input's name, for errors.
        proto: The TensorProto.
        limit: Most bytes of the array; a string counts as 8 here.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if proto.dtype not in _BY_ENUM:
        raise invalid(f"tensor parsing error: {name}: values of type {_enum(proto)} are not taken.")
    dtype, field = _BY_ENUM[proto.dtype]
    held = np.dtype(dtype.as_numpy_dtype)
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or len(shape) > _RANK or min(shape, default=0) < 0:
        raise invalid(
            f"tensor parsing error: {name}: the shape must be known, of {_RANK} dimensions at "
            f"most, got {'an unknown rank' if proto.tensor_shape.unknown_rank else shape}."
        )
    # Without the empty dimensions too: numpy counts their neighbours.
    if math.prod(size for size in shape if size) * held.itemsize > limit:
        raise invalid(
            f"tensor parsing error: {name}: the shape {shape} of {dtype.name} takes more than "
            f"{limit:,} bytes."
        )
    count = math.prod(shape)
    if proto.tensor_content:
        flat = _of_content(name, proto.tensor_content, dtype, count)
    else:
        flat = _filled(_values(proto, dtype, field), count, held)
    return flat.reshape(shape)


def fill(proto: Any, array: np.ndarray) -> None:
    """Writes an array into an empty TensorProto, in the field of its type."""
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    if dtype not in _FIELDS:
        raise invalid(f"outputs of type {dtype.name} cannot be sent.")
    proto.dtype = dtype.as_datatype_enum
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    # An empty tensor and a scalar have a shape as well.
    proto.tensor_shape.SetInParent()
    flat = array.ravel()
    field = _FIELDS[dtype]
    if field == "half_val":
        flat = flat.view(np.uint16)
    elif field.endswith("complex_val"):
        flat = flat.view(np.float32 if dtype == tf.complex64 else np.float64)
    values = getattr(proto, field)
    # A number of Python's takes ten times the memory of one here.
    for start in range(0, len(flat), _STEP):
        values.extend(flat[start : start + _STEP].tolist())


def _values(proto: Any, dtype: tf.DType, field: str) -> np.ndarray:
    values = getattr(proto, field)
    held = dtype.as_numpy_dtype
    if field == "string_val":
        made = np.empty(len(values), object)
        made[:] = list(values)
        return made
    if field == "half_val":
        return np.array(values, np.int32).astype(np.uint16).view(held)
    if field.endswith("complex_val"):
        parts = np.array(values, np.float32 if dtype == tf.complex64 else np.float64)
        return parts[: len(parts) // 2 * 2].view(held)
    if field == "int_val":
        return np.array(values, np.int32).astype(held)
    return np.array(values, held)


def _filled(values: np.ndarray, count: int, held: np.dtype) -> np.ndarray:
    if len(values) >= count:
        return values[:count]
    if not len(values):
        return np.full(count, b"" if held.hasobject else 0, held)
    filled = np.empty(count, held)
    # Not np.full, which drops zeros at the end of a string.
    filled.fill(values[-1])
    filled[: len(values)] = values
    return filled


def _of_content(name: str, content: bytes, dtype: tf.DType, count: int) -> np.ndarray:
    if dtype == tf.string:
        return _strings(name, content, count)
    held = np.dtype(dtype.as_numpy_dtype)
    if len(content) != count * held.itemsize:
        raise invalid(
            f"tensor parsing error: {name}: tensor_content must have {count * held.itemsize:,} "
            f"bytes, got {len(content):,}."
        )
    # Little-endian, as the machines that TensorFlow runs on. A copy: bytes cannot be written to.
    return np.frombuffer(content, held).copy()


def _strings(name: str, content: bytes, count: int) -> np.ndarray:
    """All lengths as varints, then all bytes."""
    lengths, at = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            if at >= len(content) or shift > 28:
                raise invalid(f"tensor parsing error: {name}: tensor_content is cut off.")
            byte = content[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise invalid(f"tensor parsing error: {name}: tensor_content does not fit its lengths.")
    made = np.empty(count, object)
    for number, length in enumerate(lengths):
        made[number] = content[at : at + length]
        at += length
    return made


def _enum(proto: Any) -> str:
    try:
        return tf.dtypes.as_dtype(proto.dtype).name
    except TypeError:
        return str(proto.dtype)
