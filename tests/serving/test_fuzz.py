"""Whatever a client, a file or a folder holds is read or refused: no other error, no more memory.

A few dozen examples each; the memory that a parser may take is bounded by what it may hold.
"""

import contextlib
import gzip
import io
import json
import tracemalloc
import zlib

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tensorflow.core.framework import tensor_pb2

from kgan.history import read_history
from kgan.names import printable
from kgan.runs.run import Run
from kgan.serving import bodies, image_files, json_examples, json_tensors, tensors
from kgan.serving.access import Access
from kgan.serving.errors import ServingError
from kgan.serving.signature import Spec
from kgan.settings import GANSettings

FEW = settings(max_examples=60, deadline=None)
FEWER = settings(max_examples=20, deadline=None)
LIMIT = 2**16

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


class Two:
    """A signature that takes numbers and strings."""

    name = "two"

    def __init__(self, **inputs):
        self.inputs = inputs


SIGNATURES = [
    Two(x=Spec(tf.float32, None)),
    Two(x=Spec(tf.int8, (None,)), s=Spec(tf.string, None)),
    Two(x=Spec(tf.uint64, (None, 2))),
]


@FEWER
@given(values, st.sampled_from(["inputs", "instances", "examples", "context"]))
def test_json_of_any_shape(value, key):
    body = json.dumps({key: value, "examples": [value]}).encode()
    for signature in SIGNATURES:
        with contextlib.suppress(ServingError):
            inputs = json_tensors.parse(body, lambda name, one=signature: one).inputs
            assert set(inputs) == set(signature.inputs)
    with contextlib.suppress(ServingError):
        json_examples.parse(body)


@FEW
@given(st.binary(max_size=80))
def test_json_of_any_bytes(body):
    for text in (body, b'{"inputs":' + body + b"}"):
        with contextlib.suppress(ServingError):
            json_tensors.parse(text, lambda name: SIGNATURES[0])
        with contextlib.suppress(ServingError):
            json_examples.parse(text)


@pytest.mark.parametrize("opening", ['{"a":', "[", '[{"a":', '{"b64":'])
@pytest.mark.parametrize("depth", [33, 500, 980, 1100, 100_000])
def test_json_of_any_depth(opening, depth):
    for key in ("inputs", "instances", "examples"):
        for end in ("1" + "]" * depth, "1" + "}" * depth, ""):
            body = f'{{"{key}":[{opening * depth}{end}]}}'.encode()
            for parse in (
                lambda b: json_tensors.parse(b, lambda n: SIGNATURES[1]),
                json_examples.parse,
            ):
                with pytest.raises(ServingError) as caught:
                    parse(body)
                assert len(caught.value.message) < 500


dims = st.lists(st.integers(-2, 2**63 - 1) | st.integers(0, 3), max_size=5)


@FEW
@given(
    st.integers(0, 130),
    dims,
    st.binary(max_size=16),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
)
def test_tensors_of_any_shape_and_type(dtype, sizes, content, numbers):
    proto = tensor_pb2.TensorProto(dtype=dtype, tensor_content=content, int_val=numbers)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    with contextlib.suppress(ServingError):
        assert tensors.array_of("x", proto, limit=LIMIT).nbytes <= LIMIT


def test_a_shape_takes_no_memory():
    proto = tensor_pb2.TensorProto(dtype=tf.int64.as_datatype_enum, int64_val=[1])
    proto.tensor_shape.dim.add(size=2**40)
    tracemalloc.start()
    with pytest.raises(ServingError, match="takes more than"):
        tensors.array_of("x", proto, limit=LIMIT)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@FEW
@given(st.binary(max_size=60))
def test_gzip_of_any_bytes(body):
    for one in (body, gzip.compress(body), gzip.compress(body)[:-3], gzip.compress(body) + body):
        with contextlib.suppress(ServingError):
            bodies.inflate(one, LIMIT)


def test_no_member_of_gzip_is_given_all_that_follows(monkeypatch):
    """What follows a member is copied at its end: 14 MB of 700,000 members took hours."""
    given = []

    class Member:
        def __init__(self, wbits):
            self.made = made(wbits=wbits)

        def __getattr__(self, name):
            return getattr(self.made, name)

        def decompress(self, piece, most):
            given.append(len(piece))
            return self.made.decompress(piece, most)

    made = zlib.decompressobj
    monkeypatch.setattr(bodies.zlib, "decompressobj", Member)
    assert bodies.inflate(gzip.compress(b"a") * 2000, LIMIT) == b"a" * 2000
    assert len(given) < 2100
    assert max(given) < 10_000


@FEW
@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP"]), st.integers(0, 60), st.binary(max_size=20))
def test_image_files_of_any_bytes(form, at, bytes_):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, form)
    whole = file.getvalue()
    for content in (bytes_, whole[:at], whole[:at] + bytes_ + whole[at + len(bytes_) :]):
        with contextlib.suppress(ServingError):
            image_files.check("x", [content], channels=3, limit=LIMIT)
    image_files.check("x", [whole], channels=3, limit=4 * 3 * 64)


def test_a_decompression_bomb_takes_what_is_allowed():
    bomb = gzip.compress(bytes(2**24), 9)
    tracemalloc.start()
    with pytest.raises(ServingError, match="more once inflated"):
        bodies.inflate(bomb, LIMIT)
    assert tracemalloc.get_traced_memory()[1] < 8 * LIMIT
    tracemalloc.stop()


@FEW
@given(st.text(max_size=40), st.text(max_size=40))
def test_hosts_origins_and_tokens(host, other):
    access = Access.of("127.0.0.1", token="secret")
    for check in (
        lambda: access.check_host(host),
        lambda: access.check_origin(host, other),
        lambda: access.check_content(host, other),
        lambda: access.check_token(host),
    ):
        with contextlib.suppress(ServingError):
            check()
    with pytest.raises(ServingError):
        access.check_host(host + ".evil.example")
    with pytest.raises(ServingError):
        access.check_token(f"Bearer {other}")


@FEW
@given(st.text())
def test_no_escape_code_reaches_a_terminal(text):
    shown = printable(text + "\x1b[31m\x9b\u202e")
    assert not set(shown) & set("\x1b\x9b\u202e\r\x07")


@FEW
@given(st.binary(max_size=60))
def test_a_table_of_any_bytes(tmp_path_factory, body):
    path = tmp_path_factory.getbasetemp() / "fuzz-metrics.csv"
    for one in (body, b"epoch,step\n1,2\n" + body):
        path.write_bytes(one)
        with contextlib.suppress(ValueError):
            read_history(path)


@FEWER
@given(values, st.sampled_from(["batch_size", "seed", "name", "runs_dir", "networks"]))
def test_a_config_of_any_types(tmp_path_factory, value, name):
    folder = tmp_path_factory.getbasetemp() / "fuzz-run"
    folder.mkdir(exist_ok=True)
    for content in (
        value,
        {"config": value},
        {"format": 2, "family": "gan", "config": {name: value}},
        {"format": value, "family": value, "config": {}},
    ):
        (folder / "config.json").write_text(json.dumps(content))
        with contextlib.suppress(ValueError):
            Run.open(folder).settings(GANSettings)
