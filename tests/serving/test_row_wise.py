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
    endpoints = {
        "double": Endpoint(lambda request: {"y": 2 * request["x"]}, NUMBERS, "double"),
        "centred": Endpoint(
            lambda request: {"y": request["x"] - tf.reduce_mean(request["x"])},
            NUMBERS,
            "centred",
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
    assert found.warm_up((1, 2, 4)) == 10
    return found


def test_each_signature_for_itself(servable):
    joined = {name: one.batchable for name, one in servable.signatures.items()}
    assert joined == {
        "double": True,
        "serve": True,
        "serving_default": True,
        "centred": False,
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


def test_shapes_are_kgans_own_all_the_same(servable):
    with pytest.raises(ServingError, match=r"must have the shape \[\], got \[1\]"):
        servable.signature("total").check(
            {"x": np.zeros(2, np.float32), "start": np.zeros(1, np.float32)}
        )
