"""The requests that TensorFlow Serving plays before a version is served, so that none is slow.

The file holds PredictionLog messages. They are written by hand: four nested messages do not justify
asking everyone who exports to install `tensorflow-serving-api`, whose messages the tests read them
with.

Reference: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

WARMUP = "assets.extra/tf_serving_warmup_requests"


def write(
    version: Path, model: str, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]]
) -> Path:
    """Writes the warm-up file of an exported version.

    Args:
        version: The version's folder.
        model: The model's name.
        requests: Signature names and their inputs; TensorFlow Serving takes 1000 at most.
    """
    path = version / WARMUP
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as file:
        for signature, inputs in requests:
            file.write(_prediction_log(model, signature, inputs))
    return path


def _prediction_log(model: str, signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    spec = _field(1, model.encode()) + _field(3, signature.encode())
    request = _field(1, spec)
    for name, array in inputs.items():
        tensor = tf.make_tensor_proto(array).SerializeToString()
        request += _field(2, _field(1, name.encode()) + _field(2, tensor))
    # PredictionLog.predict_log is field 6, PredictLog.request field 1.
    return _field(6, _field(1, request))


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field in protobuf's wire format."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])
