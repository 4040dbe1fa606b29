"""The server with its sockets: gRPC, hot reload, and what clients and signals do to it."""

import asyncio
import shutil
import threading
import time

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

import kgan.latents
from kgan.serving import rehearsal, server
from kgan.serving.repository import Model, Repository
from tests.serving.rows import CITIES, KEY

PREDICT = "/v1/models/toy:predict"
BODY = {"inputs": {"seeds": [1], "labels": [0]}}


IMAGES = np.linspace(0, 1, 128, dtype=np.float32).reshape(2, 8, 8, 1)


def request_of(signature="", filter_=(), **inputs):
    return predict_pb2.PredictRequest(
        model_spec={"name": "toy", "signature_name": signature},
        inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
        output_filter=filter_,
    )


@pytest.fixture
def rpc(serve):
    """Runs `body(prediction, models)` with the official stubs."""

    def run(body, **limits):
        async def inside(url, address):
            async with grpc.aio.insecure_channel(address) as channel:
                return await body(
                    prediction_service_pb2_grpc.PredictionServiceStub(channel),
                    model_service_pb2_grpc.ModelServiceStub(channel),
                )

        return serve(inside, **limits)

    return run


def test_grpc_predict_gives_the_images_of_keras(rpc, exported):
    _, gan = exported
    seeds = kgan.latents.example_seeds(7, 3)

    async def body(prediction, models):
        return await prediction.Predict(request_of(seeds=seeds, labels=np.arange(3)))

    reply = rpc(body)
    np.testing.assert_allclose(
        tf.make_ndarray(reply.outputs["images"]), gan.generate(3, [0, 1, 2], seed=7), atol=1e-5
    )
    # Clients in other languages read the typed field.
    assert len(reply.outputs["images"].float_val) == 3 * 64
    assert reply.model_spec.name == "toy"
    assert reply.model_spec.version.value == 1
    assert reply.model_spec.signature_name == "serving_default"


def test_grpc_takes_whole_numbers_of_any_type(rpc):
    """int32 labels, as most frameworks have them, mean the same as the signature's int64."""

    async def body(prediction, models):
        replies = [
            await prediction.Predict(
                request_of(seeds=np.array([5, 6], seeds), labels=np.array([0, 2], labels))
            )
            for seeds, labels in ((np.int64, np.int64), (np.int64, np.int32), (np.uint8, np.int8))
        ]
        return [tf.make_ndarray(reply.outputs["images"]) for reply in replies]

    wanted, *found = rpc(body)
    for images in found:
        np.testing.assert_array_equal(images, wanted)


def test_grpc_rows_of_a_table_with_strings(rpc):
    async def body(prediction, models):
        request = predict_pb2.PredictRequest(
            model_spec={"name": "rows"},
            inputs={
                "seeds": tf.make_tensor_proto(np.array([0, 5])),
                "labels": tf.make_tensor_proto(np.array([0, 1])),
            },
        )
        rows = await prediction.Predict(request)
        text = np.array(["ä".encode(), b"\xff\x00"], object)
        request = predict_pb2.PredictRequest(
            model_spec={"name": "rows", "signature_name": "join"},
            inputs={name: tf.make_tensor_proto(text) for name in ("first", "second")},
        )
        return rows, await prediction.Predict(request)

    rows, joined = rpc(body)
    assert list(rows.outputs["city, country"].string_val) == [city.encode() for city in CITIES]
    assert rows.outputs["city, country"].dtype == tf.string.as_datatype_enum
    assert list(rows.outputs["key_bytes"].string_val) == [KEY, KEY]
    assert list(rows.outputs["id"].int64_val) == [2**60, 2**60 + 5]
    assert list(joined.outputs["both"].string_val) == ["ä-ä".encode(), b"\xff\x00-\xff\x00"]


def test_grpc_filters_outputs_and_tells_of_its_models(rpc):
    images = np.zeros((1, 8, 8, 1), np.float32)

    async def body(prediction, models):
        reply = await prediction.Predict(
            request_of("score", ["logits"], images=images, labels=np.array([0]))
        )
        assert list(reply.outputs) == ["logits"]
        ask = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        ask.model_spec.name = "toy"
        reply = await prediction.GetModelMetadata(ask)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert reply.metadata["signature_def"].Unpack(signatures)
        assert "decode" in signatures.signature_def
        ask = get_model_status_pb2.GetModelStatusRequest()
        ask.model_spec.name = "toy"
        (told,) = (await models.GetModelStatus(ask)).model_version_status
        assert (told.version, told.state) == (1, told.AVAILABLE)

    rpc(body)


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "no name"),
        (predict_pb2.PredictRequest(model_spec={"name": "x"}), "NOT_FOUND", "not found"),
        (request_of("nope"), "FAILED_PRECONDITION", 'key "nope" not found'),
        (
            request_of(seeds=np.array([1], np.float32), labels=np.array([0])),
            "INVALID_ARGUMENT",
            "must be int64, got float32",
        ),
        (request_of(seeds=np.array([1])), "INVALID_ARGUMENT", "takes the inputs labels, seeds"),
        (request_of("score", ["x"]), "INVALID_ARGUMENT", "alias not found in signature: x"),
        *(
            (
                request_of(seeds=np.array([1]), labels=np.array([label])),
                "INVALID_ARGUMENT",
                f"labels must be in [0, 2], got {label}",
            )
            for label in (9, -1, 2**32 + 1)
        ),
        (
            request_of("score", images=255 * IMAGES, labels=np.array([0, 1])),
            "INVALID_ARGUMENT",
            "images must be in [0, 1], got 0 to 255",
        ),
        (
            request_of("project", images=IMAGES, labels=np.array([0, 1]), steps=np.array([1, 301])),
            "INVALID_ARGUMENT",
            "steps must be in [0, 300], got [1 301]",
        ),
        (
            request_of(
                "project",
                images=np.repeat(IMAGES[:1], 5, axis=0),
                labels=np.zeros(5, np.int64),
                steps=np.full(5, 300),
            ),
            "INVALID_ARGUMENT",
            "rows times the most steps must be at most 1200, got 1500 (send fewer)",
        ),
        (
            # Too large for the signature's int64.
            request_of(seeds=np.array([1]), labels=np.array([2**63], np.uint64)),
            "INVALID_ARGUMENT",
            "must be int64, got uint64",
        ),
    ],
)
def test_grpc_errors(rpc, request_, code, message):
    async def body(prediction, models):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await prediction.Predict(request_)
        assert caught.value.code() is getattr(grpc.StatusCode, code)
        assert message in caught.value.details()

    rpc(body)


def test_grpc_refuses_what_the_command_line_decides(rpc):
    async def body(prediction, models):
        for call in (
            models.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest()),
            prediction.Predict(request_of(seeds=np.zeros(999, np.int64), labels=[0])),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() in (
                grpc.StatusCode.UNIMPLEMENTED,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            )

    rpc(body, max_body=4096)


@pytest.fixture
def slow(repository, monkeypatch):
    """Every call into the model takes half a second."""
    signature = repository.model("toy").get().signature("")
    original = signature._function

    def wait(**inputs):
        time.sleep(0.5)
        return original(**inputs)

    monkeypatch.setattr(signature, "_function", wait)


def test_grpc_deadline_and_full_queue(rpc, slow):
    request = request_of(seeds=np.array([1]), labels=np.array([0]))

    async def body(prediction, models):
        late = prediction.Predict(request, timeout=0.2)
        assert await late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        calls = [prediction.Predict(request) for _ in range(6)]
        codes = [(await call.code()).name for call in calls]
        assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}
        assert codes.count("OK") <= 4

    rpc(body, threads=1, max_batch=1, queue_size=2)


def test_stopping_answers_what_is_in_flight(repository, monkeypatch):
    signature = repository.model("toy").get().signature("")
    original, go = signature._function, threading.Event()
    monkeypatch.setattr(signature, "_function", lambda **inputs: go.wait(60) and original(**inputs))

    async def inside():
        limits = server.Limits(poll=0, threads=1, max_batch=1)
        async with server.running(repository, limits) as (port, grpc_port):
            url = f"http://127.0.0.1:{port}"

            async def rest():
                async with httpx.AsyncClient(timeout=60) as client:
                    return (await client.post(url + PREDICT, json=BODY)).status_code

            async def rpc():
                async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
                    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                    request = request_of(seeds=np.array([1]), labels=np.array([0]))
                    return len((await stub.Predict(request)).outputs)

            asked = [asyncio.create_task(one()) for one in (rest, rpc) * 4]
            text = ""
            async with httpx.AsyncClient(timeout=60) as client:
                while "kgan_serving_queue_requests 7.0" not in text:
                    text = (await client.get(url + "/monitoring/prometheus/metrics")).text
            # The server is told to stop while one request is in TensorFlow and seven wait.
            asyncio.get_running_loop().call_later(0.5, go.set)
        # It has ended, but clients may still be reading what it sent.
        return await asyncio.gather(*asked)

    assert asyncio.run(inside()) == [200, 1] * 4


def test_a_slow_client_holds_up_nobody_and_is_cut_off(serve):
    async def body(url, address):
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\n")
        writer.write(b"Content-Length: 99\r\n\r\n{")
        await writer.drain()
        async with httpx.AsyncClient(timeout=30) as client:
            for _ in range(5):
                assert (await client.post(url + PREDICT, json=BODY)).status_code == 200
        answer = await asyncio.wait_for(reader.read(), 30)
        assert answer.startswith(b"HTTP/1.1 408")
        writer.close()

    serve(body, timeout=2)


def test_a_body_of_100_mb_is_refused_without_being_kept(serve):
    async def pieces():
        for _ in range(100):
            yield bytes(2**20)

    async def body(url, address):
        async with httpx.AsyncClient(timeout=60) as client:
            reply = await client.post(url + PREDICT, content=pieces())
            assert reply.status_code == 413
            assert "16,777,216 bytes, got more" in reply.json()["error"]
            assert (await client.post(url + PREDICT, json=BODY)).status_code == 200

    serve(body)


def test_new_and_corrupt_versions_under_load(exported, tmp_path, serve):
    """Version 2 comes, 3 is corrupt, 2 is withdrawn: no request fails."""
    source, _ = exported
    folder = tmp_path / "toy"
    folder.mkdir()

    def put(version):
        shutil.copytree(source / "1", folder / f"tmp-{version}")
        if version == 3:
            (folder / "tmp-3" / "saved_model.pb").write_bytes(b"\x0a\xff corrupt")
        (folder / f"tmp-{version}").rename(folder / str(version))

    put(1)
    repository = Repository([Model("toy", folder)])
    repository.poll()
    model = repository.model("toy")

    async def until(version):
        for _ in range(600):
            if model.get().version == version:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"version {version} was not served: {model.states}")

    async def body(url, address):
        codes: list[int] = []
        stop = asyncio.Event()

        async def load(client):
            while not stop.is_set():
                codes.append((await client.post(url + PREDICT, json=BODY)).status_code)
                await asyncio.sleep(0.01)

        async with httpx.AsyncClient(timeout=60) as client:
            loads = [asyncio.create_task(load(client)) for _ in range(4)]
            put(2)
            await until(2)
            put(3)
            while 3 not in model.states or model.states[3].state != "END":
                await asyncio.sleep(0.05)
            assert model.get().version == 2
            told = (await client.get(f"{url}/v1/models/toy/versions/3")).json()
            (folder / "2").rename(folder / "withdrawn-2")
            await until(1)
            stop.set()
            await asyncio.gather(*loads)
        assert set(codes) == {200}
        assert len(codes) > 10
        (status,) = told["model_version_status"]
        assert status["state"] == "END"
        assert status["status"]["error_code"] == "UNKNOWN"
        assert status["status"]["error_message"]

    serve(body, served=repository, poll=0.1)


def test_a_taken_port_is_told(serve, repository):
    from kgan.serving import server

    async def body(url, address):
        port = int(url.rpartition(":")[2])
        with pytest.raises(OSError, match=f"port {port} on 127.0.0.1 cannot be used"):
            async with server.running(repository, server.Limits(), port=port):
                raise AssertionError("two servers on one port")
        taken = int(address.rpartition(":")[2])
        with pytest.raises(OSError, match=f"port {taken} on 127.0.0.1 cannot be used"):
            async with server.running(repository, server.Limits(), grpc_port=taken):
                raise AssertionError("two servers on one port")

    serve(body)


def test_a_rehearsal_that_fails_keeps_no_server_from_starting(repository):
    """Here each connection ends before the first answer."""
    asked = []

    async def silent(scope, receive, send):
        asked.append(scope["path"])
        raise RuntimeError("as a bug would")

    async def inside():
        app = server.application(repository, server.Limits(poll=0))
        await rehearsal.of_rest(silent, app.rest, app.service)
        await app.close()

    asyncio.run(inside())
    assert set(asked) >= {f"/v1/models/{name}" for name in repository.models}


def test_a_rehearsal_is_not_counted(repository):
    """The model was asked, from its warm-up file, and no counter shows it."""
    signature = repository.model("toy").get().signature("")
    asked = []
    original = signature._function

    def record(**inputs):
        asked.append({name: value.numpy().tolist() for name, value in inputs.items()})
        return original(**inputs)

    async def inside():
        running = server.running(repository, server.Limits(poll=0), rehearse=True)
        async with running as (port, _), httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{port}/monitoring/prometheus/metrics")).text

    signature._function = record
    try:
        text = asyncio.run(inside())
    finally:
        signature._function = original
    assert asked
    assert asked[0] == {"seeds": [0], "labels": [0]}
    assert not [
        line for line in text.splitlines() if line.startswith("kgan_serving_requests_total")
    ]
