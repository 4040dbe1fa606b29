"""JSON as TensorFlow Serving's parser reads it, and the texts that it writes for single values."""

import base64
import binascii
import itertools
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from kgan.serving.errors import invalid

DEPTH = 32
"""Most lists inside each other in a value."""

_STRING_OR_INF = re.compile(r'"(?:[^"\\]|\\.)*"|-?Inf\b')
_SPACE = re.compile(r"[ \t\n\r\v\f]+")
_BASE64 = re.compile(r"([A-Za-z0-9+/]*)([=.]*)")
_ESCAPED = re.compile(r'["\\\x00-\x1f]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r"}
_ESCAPES["\t"] = "\\t"
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def read(body: bytes) -> dict[str, Any]:
    """The object at the beginning of a body; what follows it is passed over.

    NaN, Inf and Infinity may stand where a number may.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _read_with_care(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {short(document)} Is not object")
    return document


def _read_with_care(body: bytes) -> Any:
    """Slower, but it knows NaN and the rest after the object, and says where a mistake is."""
    try:
        text = body.decode("utf-8-sig")
        if "Inf" in text:
            text = _STRING_OR_INF.sub(_spelled_out, text)
        document, _ = json.JSONDecoder(parse_float=_finite).raw_decode(text.lstrip(" \t\n\r"))
        return document
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error or 'nested too deeply'}") from None


def _spelled_out(match: re.Match) -> str:
    return match[0] + "inity" if match[0].endswith("Inf") else match[0]


def _finite(text: str) -> float:
    value = float(text)
    if np.isinf(value):
        raise ValueError("Number too big to be stored in double.")
    return value


def short(value: Any) -> str:
    """The beginning of a value as JSON, for errors."""
    try:
        parts = itertools.islice(json.JSONEncoder(default=str).iterencode(value), 100)
        text = "".join(parts)
    except RecursionError:
        return "what is nested too deeply"
    return text if len(text) <= 80 else text[:77] + "..."


def is_named(value: Any) -> bool:
    """Whether a value is an object with names, not bytes in base64."""
    return isinstance(value, dict) and not is_base64(value)


def is_base64(value: Any) -> bool:
    """Whether a value is `{"b64": TEXT}`."""
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def string(what: str, value: Any) -> bytes:
    """The bytes of a string, or of one in base64, whose padding may be missing.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise invalid(f"{what} holds half of a surrogate pair.") from None
    if not is_base64(value):
        raise invalid(f"{what} must hold strings, got {short(value)}.")
    match = _BASE64.fullmatch(_SPACE.sub("", value["b64"]))
    missing = -len(match[1]) % 4 if match else 3
    # One character alone is less than a byte.
    if match is None or missing == 3 or len(match[2]) not in (0, missing):
        raise invalid(f"{what} holds bad base64.")
    try:
        return base64.b64decode(match[1] + "=" * missing)
    except binascii.Error:
        raise invalid(f"{what} holds bad base64.") from None


def decimals(values: np.ndarray) -> list[str]:
    """Floats (n,) as TensorFlow Serving writes them: six digits where they are enough, else nine
    (seventeen for float64), and never without a point or an exponent."""
    numbers = values.tolist()
    texts = ("%g " * len(numbers) % tuple(numbers)).split()
    with np.errstate(over="ignore"):
        lossy = np.array(texts, values.dtype) != values
    digits = 9 if values.dtype == np.float32 else 17
    for at in np.flatnonzero(lossy).tolist():
        texts[at] = f"{numbers[at]:.{digits}g}"
    return [_with_point(text) for text in texts]


def _with_point(text: str) -> str:
    if text in _NOT_FINITE:
        return _NOT_FINITE[text]
    return text if "." in text or "e" in text else text + ".0"


def quoted(value: bytes) -> str:
    """A string as TensorFlow Serving writes it: bytes that are no UTF-8 stay as they are.

    Returns:
        Text that is to be encoded with the error handler "surrogateescape".
    """
    text = value.decode("utf-8", "surrogateescape")
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04X}"


def in_base64(value: bytes) -> str:
    """Bytes as `{"b64": TEXT}`."""
    return f'{{"b64":"{base64.b64encode(value).decode()}"}}'


def nested(texts: Sequence[str], shape: Sequence[int]) -> bytes:
    """Lists inside each other, of the shape of an array whose values are given in order."""
    parts = list(texts)
    for axis in reversed(range(len(shape))):
        size = shape[axis]
        count = int(np.prod(shape[:axis], dtype=int))
        parts = [f"[{','.join(parts[at * size : (at + 1) * size])}]" for at in range(count)]
    return parts[0].encode("utf-8", "surrogateescape")
