"""Answers larger than what is allowed: refused before anything is written, and early."""

import functools

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from kgan.serving.repository import Model, Repository
from kgan.serving.servable import Servable

LIMIT = 40_000
# Numbers and bytes that just fit, and one more; a string counts as 8 bytes besides its own.
SIZES = [("numbers", 10_000), ("text", LIMIT - 8)]


class Foreign(tf.Module):
    """What a client asks for is how much it gets."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def numbers(self, count):
        return {"y": tf.fill([count], 0.5)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def text(self, count):
        return {"y": tf.strings.reduce_join(tf.fill([count], "a"))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def rows(self, x):
        return {"y": tf.ensure_shape(tf.tile(x[:, None], [1, 100]), [None, 100])}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "foreign"
    module = Foreign()
    signatures = {name: getattr(module, name) for name in ("numbers", "text", "rows")}
    tf.saved_model.save(module, str(folder / "1"), signatures=signatures)
    load = functools.partial(Servable, batch=True)
    repository = Repository([Model("foreign", folder, load=load)])
    repository.poll()
    return repository


def predict(signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "foreign", signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


@pytest.mark.parametrize(("signature", "most"), SIZES)
def test_what_only_the_run_tells(serve, foreign, signature, most):
    async def body(url, address):
        said = []
        channel = grpc.aio.insecure_channel(address)
        async with httpx.AsyncClient() as client, channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            for count in (most, most + 1):
                asked = {"signature_name": signature, "inputs": {"count": count}}
                reply = await client.post(f"{url}/v1/models/foreign:predict", json=asked)
                said.append((reply.status_code, reply.json().get("error", "")))
                try:
                    await stub.Predict(predict(signature, count=np.int32(count)))
                    said.append((grpc.StatusCode.OK, ""))
                except grpc.aio.AioRpcError as error:
                    said.append((error.code(), error.details()))
        return said

    said = serve(body, served=foreign, max_reply=LIMIT)
    codes = [200, grpc.StatusCode.OK, 400, grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert [code for code, _ in said] == codes
    assert said[2][1] == said[3][1]
    assert "and 40,000 are allowed: ask for less, or start the server" in said[2][1]


def test_what_the_signature_tells_is_not_run(call, foreign, monkeypatch):
    signature = foreign.model("foreign").get().signature("rows")
    assert signature.least_bytes(7) == 7 * 100 * 4

    async def body(client, app):
        statuses = []
        for rows in (100, 101):
            asked = {"signature_name": "rows", "inputs": [1.0] * rows}
            reply = await client.post("/v1/models/foreign:predict", json=asked)
            statuses.append(reply.status_code)
        return statuses

    seen = []
    run = signature._call
    monkeypatch.setattr(signature, "_call", lambda *given: seen.append(given) or run(*given))
    assert call(body, served=foreign, max_reply=LIMIT, max_batch=200) == [200, 400]
    assert len(seen) == 1
