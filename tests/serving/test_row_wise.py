"""An export says of each signature whether requests for it may be joined and padded."""

import asyncio

import numpy as np
import pytest
import tensorflow as tf

import kgan.export
from kgan.endpoints import Endpoint, Endpoints
from kgan.serving.batching import Batcher
from kgan.serving.errors import ServingError
from kgan.serving.servable import Servable

NUMBERS = {"x": tf.TensorSpec([None], tf.float32)}


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    """A number doubled, row by row; numbers less their mean; their sum, which is one value."""

    def of_some(steps):
        with tf.control_dependencies([tf.debugging.Assert(tf.size(steps) > 0, ["no rows"])]):
            return tf.cast(steps, tf.float32)

    endpoints = {
        "double": Endpoint(lambda request: {"y": 2 * request["x"]}, NUMBERS, "double"),
        "centred": Endpoint(
            lambda request: {"y": request["x"] - tf.reduce_mean(request["x"])},
            NUMBERS,
            "centred",
            row_wise=False,
        ),
        "apart": Endpoint(
            lambda request: {"y": request["x"] + of_some(request["steps"])},
            {**NUMBERS, "steps": tf.TensorSpec([None], tf.int64)},
            "apart",
            row_wise=False,
        ),
        "total": Endpoint(
            lambda request: {"y": tf.reduce_sum(request["x"]) + request["start"]},
            {**NUMBERS, "start": tf.TensorSpec([], tf.float32)},
            "total",
            row_wise=False,
        ),
    }
    folder = tmp_path_factory.mktemp("exported") / "mixed"
    version = kgan.export.write(Endpoints("mixed", None, endpoints, ()), folder)
    found = Servable("mixed", 1, version)
    assert found.warm_up((1, 2, 4)) == 12
    return found


def test_each_signature_for_itself(servable):
    joined = {name: one.batchable for name, one in servable.signatures.items()}
    assert joined == {
        "double": True,
        "serve": True,
        "serving_default": True,
        "centred": False,
        "apart": False,
        "total": False,
    }


def test_what_looks_across_rows_is_answered_alone(servable):
    """Three rows would be padded to four, and joined with those of others."""
    seen = []

    async def inside():
        batcher = Batcher(timeout=0.05, observe=lambda requests, rows: seen.append(requests))

        async def ask(name, **inputs):
            arrays = {key: np.array(value, np.float32) for key, value in inputs.items()}
            reply = await batcher.submit(servable.signature(name), arrays, within=20)
            return reply["y"].tolist()

        try:
            return await asyncio.gather(
                ask("centred", x=[0, 0, 3]),
                ask("centred", x=[10, 20, 30]),
                ask("total", x=[1, 2, 3], start=4),
                ask("double", x=[1, 2, 3]),
                ask("double", x=[5]),
            )
        finally:
            await batcher.close()

    assert asyncio.run(inside()) == [[-1, -1, 2], [-10, 0, 10], 10, [2, 4, 6], [10]]
    assert sorted(seen) == [1, 1, 1, 2]


def test_rows_are_compared_where_requests_are_not_joined(servable):
    with pytest.raises(ServingError, match="all inputs must have as many rows, got"):
        servable.signature("apart").check(
            {"x": np.zeros(2, np.float32), "steps": np.zeros(1, np.int64)}
        )


@pytest.mark.parametrize("name", ["double", "centred", "apart"])
def test_no_rows_are_answered_without_the_network(servable, name):
    """Some convolutions of no rows have other shapes, or fail."""
    signature = servable.signature(name)
    inputs = {
        key: np.zeros([0], spec.dtype.as_numpy_dtype) for key, spec in signature.inputs.items()
    }
    signature.check(inputs)
    for sizes in ((), (1, 2)):
        answer = signature.run(inputs, sizes)
        assert {key: (one.shape, one.dtype) for key, one in answer.items()} == {
            "y": ((0,), np.dtype(np.float32))
        }


def test_shapes_are_kgans_own_all_the_same(servable):
    with pytest.raises(ServingError, match=r"must have the shape \[\], got \[1\]"):
        servable.signature("total").check(
            {"x": np.zeros(2, np.float32), "start": np.zeros(1, np.float32)}
        )
