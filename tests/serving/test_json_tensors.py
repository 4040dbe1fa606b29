"""Bodies by row and by column; the examples are those of TensorFlow Serving's documentation."""

import contextlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kgan.serving import json_tensors
from kgan.serving.errors import ServingError
from kgan.serving.signature import Spec

FLOATS = Spec(tf.float32, (None, None))


def read(body, **specs):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json_tensors.parse(body, lambda name: SimpleNamespace(name=name, inputs=specs))


def test_rows_of_one_input_are_bare_values():
    parsed = read({"instances": [[1, 2], [3.5, 4]]}, x=FLOATS)
    assert parsed.by_row
    assert parsed.inputs["x"].dtype == np.float32
    np.testing.assert_array_equal(parsed.inputs["x"], [[1, 2], [3.5, 4]])


def test_rows_of_several_inputs_are_objects():
    rows = [
        {"tag": "foo", "signal": [1, 2], "sensor": [[1, 2], [3, 4]]},
        {"tag": "bar", "signal": [3, 4], "sensor": [[4, 5], [6, 8]]},
    ]
    parsed = read(
        {"instances": rows, "signature_name": "s"},
        tag=Spec(tf.string, (None,)),
        signal=Spec(tf.int32, (None, 2)),
        sensor=Spec(tf.int64, (None, 2, 2)),
    )
    assert parsed.signature.name == "s"
    assert parsed.inputs["tag"].tolist() == [b"foo", b"bar"]
    np.testing.assert_array_equal(parsed.inputs["signal"], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(parsed.inputs["sensor"][1], [[4, 5], [6, 8]])


def test_columns_named_and_bare():
    specs = {"a": Spec(tf.int64, (None,)), "b": Spec(tf.float32, ())}
    parsed = read({"inputs": {"a": [1, 2], "b": 3, "unknown": 0}}, **specs)
    assert not parsed.by_row
    assert parsed.inputs["b"].shape == ()
    assert set(parsed.inputs) == {"a", "b"}
    assert read({"inputs": [[1]]}, x=FLOATS).inputs["x"].shape == (1, 1)


def test_bytes_are_base64():
    spec = Spec(tf.string, (None,))
    parsed = read({"inputs": [{"b64": "aGVsbG8="}, "x"]}, image_bytes=spec)
    assert parsed.inputs["image_bytes"].tolist() == [b"hello", b"x"]
    assert read({"instances": [{"b64": "aGk="}]}, s=spec).inputs["s"].tolist() == [b"hi"]
    reply = json_tensors.dump({"image_bytes": np.array([b"hello"], object)}, by_row=False)
    assert json.loads(reply) == {"outputs": [{"b64": "aGVsbG8="}]}
    reply = json_tensors.dump({"text": np.array([b"hello"], object)}, by_row=True)
    assert json.loads(reply) == {"predictions": ["hello"]}


def test_nan_and_infinity_are_tokens_both_ways():
    parsed = read(b'{"inputs": [[NaN, Infinity, -Infinity, 1]]}', x=FLOATS)
    np.testing.assert_array_equal(parsed.inputs["x"], [[np.nan, np.inf, -np.inf, 1]])
    assert json_tensors.dump(parsed.inputs, by_row=True) == (
        b'{"predictions":[[NaN,Infinity,-Infinity,1.0]]}'
    )
    several = {"y": np.array([1.5], np.float32), "x": np.array([np.nan], np.float32)}
    assert b"NaN" in json_tensors.dump(several, by_row=True)
    assert b"NaN" in json_tensors.dump(several, by_row=False)


def test_a_single_output_loses_its_name():
    one = {"images": np.zeros((2, 1), np.float32)}
    assert json_tensors.dump(one, by_row=True) == b'{"predictions":[[0.0],[0.0]]}'
    assert json_tensors.dump(one, by_row=False) == b'{"outputs":[[0.0],[0.0]]}'
    two = {"a": np.array([1, 2]), "b": np.array([True, False])}
    assert json.loads(json_tensors.dump(two, by_row=True)) == {
        "predictions": [{"a": 1, "b": True}, {"a": 2, "b": False}]
    }
    assert json.loads(json_tensors.dump(two, by_row=False)) == {
        "outputs": {"a": [1, 2], "b": [True, False]}
    }


def test_outputs_without_common_rows_cannot_come_by_row():
    for other, said in ((np.zeros(3), "inconsistent batch size"), (0.0, "no shape information")):
        with pytest.raises(ServingError, match=said):
            json_tensors.dump({"a": np.zeros(2), "b": np.asarray(other)}, by_row=True)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error"),
        (b"{", "JSON Parse error"),
        (b"\xff\xfe", "JSON Parse error"),
        (b"[" * 100_000, "JSON Parse error"),
        (b"[]", "Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": [], "instances": []}, "expecting only one of"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": {"x": 1}}, "to be an list/array"),
        (
            {"instances": [1], "signature_name": 3},
            "'signature_name' key must be a string value, got 3",
        ),
        ({"instances": [{"y": [1]}]}, "Failed to process element: 0"),
        ({"instances": [{"x": [1]}, [1]]}, "Expecting object but got list at item 1"),
        ({"inputs": {"y": 1}}, "Missing named input: x"),
        ({"inputs": [[1], [1, 2]]}, "lists of unexpected size"),
        ({"inputs": [["1"]]}, 'JSON Value: [["1"]] is not of expected type: float32'),
        ({"inputs": [[None]]}, "is not of expected type: float32"),
        ({"inputs": [[1.5, True]]}, "is not of expected type: float32"),
    ],
)
def test_bad_bodies(body, message):
    with pytest.raises(ServingError) as caught:
        read(body, x=FLOATS)
    assert message in caught.value.message
    assert caught.value.http_status == 400


@pytest.mark.parametrize("value", [1.0, 2**63, -(2**63) - 1, True, "1"])
def test_integers_are_integers_in_range(value):
    with pytest.raises(ServingError, match="is not of expected type: int64"):
        read({"inputs": [value]}, x=Spec(tf.int64, (None,)))


def test_the_largest_integer_survives():
    for value in (2**63 - 1, -(2**63)):
        parsed = read({"inputs": [value]}, x=Spec(tf.int64, (None,)))
        assert parsed.inputs["x"].tolist() == [value]
        assert json.loads(json_tensors.dump(parsed.inputs, by_row=False))["outputs"] == [value]


@given(arrays(np.float32, (2, 3)))
def test_float32_comes_back_to_the_bit(array):
    reply = json_tensors.dump({"x": array}, by_row=False)
    body = reply.replace(b'"outputs"', b'"inputs"', 1)
    np.testing.assert_array_equal(read(body, x=FLOATS).inputs["x"], array)


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(body):
    # Any other error would be an answer of 500.
    with contextlib.suppress(ServingError):
        read(body, x=FLOATS)
