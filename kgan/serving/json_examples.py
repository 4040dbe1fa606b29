"""tf.Examples in JSON, and classifications and regressions, as the REST contract has them."""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from kgan.serving import json_document
from kgan.serving.errors import invalid
from kgan.serving.json_document import is_base64, short
from kgan.serving.json_tensors import signature_name

_INT64 = 2**63
_UINT64 = 2**64


def parse(body: bytes) -> tuple[str, Any]:
    """Reads a body with `examples`, and perhaps a `context` that is part of each.

    Returns:
        The signature's name, empty for the default, and an `Input` message.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    document = json_document.read(body)
    name = signature_name(document)
    asked = input_pb2.Input()
    place = asked.example_list
    if "context" in document:
        place = asked.example_list_with_context
        _fill(place.context, document["context"])
    if "examples" not in document:
        raise invalid(f"key 'examples' is expected and was not found, got {short(document)}.")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise invalid(f"Expecting 'examples' value to be an list/array, got {short(examples)}.")
    if not examples:
        raise invalid("'examples' value is an empty array")
    for example in examples:
        _fill(place.examples.add(), example)
    return name, asked


def dump(result: Any) -> bytes:
    """A ClassificationResult or RegressionResult as `{"results": [...]}`."""
    if result.DESCRIPTOR.name == "ClassificationResult":
        rows = [f"[{','.join(map(_class, row.classes))}]" for row in result.classifications]
    else:
        values = np.array([one.value for one in result.regressions], np.float32)
        rows = json_document.decimals(values)
    if not rows:
        raise invalid(f"Cannot convert empty {result.DESCRIPTOR.name}s to JSON")
    return f'{{"results":[{",".join(rows)}]}}'.encode("utf-8", "surrogateescape")


def _class(told: Any) -> str:
    (score,) = json_document.decimals(np.array([told.score], np.float32))
    return f"[{json_document.quoted(told.label.encode())},{score}]"


def _fill(example: tf.train.Example, value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {short(value)}")
    for name, content in value.items():
        # An empty list is a feature too.
        feature = example.features.feature[name]
        feature.SetInParent()
        for one in content if isinstance(content, list) else [content]:
            _add(feature, name, one)


def _float(name: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise invalid(f"Feature: {name} has a number too big to be stored in double.") from None


def _add(feature: tf.train.Feature, name: str, value: Any) -> None:
    if isinstance(value, str) or is_base64(value):
        kind: str = "bytes_list"
        value = json_document.string(f"the feature {name!r}", value)
    elif isinstance(value, float) or (isinstance(value, int) and not 0 <= value + _INT64 < _UINT64):
        if isinstance(value, int) and 0 < value < _UINT64:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        kind, value = "float_list", _float(name, value)
    elif isinstance(value, int):
        kind, value = "int64_list", int(value)
    else:
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {short(value)}")
    if feature.WhichOneof("kind") not in (None, kind):
        raise invalid(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{feature.WhichOneof('kind').removesuffix('_list')}"
        )
    getattr(feature, kind).value.append(value)
