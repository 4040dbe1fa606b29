"""gRPC calls that are given up, that have no end, and that ask what there is to call."""

import asyncio
import threading

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from kgan.serving import server
from tests.serving.test_server import request_of

ONE = request_of(seeds=np.array([1]), labels=np.array([0]))


@pytest.fixture
def gate(repository, monkeypatch):
    """Calls into the model wait until it is set; `gate.calls` counts them."""
    signature = repository.model("toy").get().signature("")
    original, gate = signature._function, threading.Event()
    gate.calls = 0

    def wait(**inputs):
        gate.calls += 1
        assert gate.wait(60)
        return original(**inputs)

    monkeypatch.setattr(signature, "_function", wait)
    yield gate
    gate.set()


def test_what_is_given_up_is_never_computed(serve, gate):
    """By the client's cancellation or its deadline, while others are in TensorFlow."""

    async def body(url, address):
        async with grpc.aio.insecure_channel(address) as channel, httpx.AsyncClient() as client:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

            async def text():
                return (await client.get(f"{url}/monitoring/prometheus/metrics")).text

            async def until(line):
                for _ in range(400):
                    if line in await text():
                        return
                    await asyncio.sleep(0.02)
                raise AssertionError(f"no {line} in\n{await text()}")

            first = asyncio.ensure_future(stub.Predict(ONE))
            while not gate.calls:
                await asyncio.sleep(0.01)
            cancelled = [stub.Predict(ONE) for _ in range(3)]
            late = stub.Predict(ONE, timeout=0.3)
            running = [asyncio.ensure_future(call.code()) for call in (*cancelled, late)]
            await until("kgan_serving_queue_requests 4.0")
            for call in cancelled:
                call.cancel()
            codes = [(await code).name for code in running]
            assert codes == ["CANCELLED"] * 3 + ["DEADLINE_EXCEEDED"]
            await until("kgan_serving_queue_requests 0.0")
            assert gate.calls == 1
            gate.set()
            await first
            assert len((await stub.Predict(ONE)).outputs) == 1
            assert gate.calls == 2
            # The server was told of the deadline, or found it itself.
            told = await text()
            assert 'code="INTERNAL"' not in told
            assert 'api="grpc",code="OK",model="toy"} 2.0' in told

    serve(body, threads=1, max_batch=1)


def test_a_deadline_that_is_over_is_told(serve, gate):
    async def body(url, address):
        async with grpc.aio.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            call = stub.Predict(ONE, timeout=60)
            # The server's own limit is shorter than the client's.
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert "no answer within 0.2 s" in await call.details()
            gate.set()

    serve(body, timeout=0.2)


def watch(channel):
    return channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")


def test_streams_leave_room_for_requests_and_hold_up_no_end(repository):
    """Of 20 places streams take two; the server ends at once although clients keep them open."""

    async def inside():
        limits = server.Limits(poll=0, max_connections=20, grace=600)
        async with asyncio.timeout(120), server.running(repository, limits) as (_, port):
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
            streams = [watch(channel) for _ in range(2)]
            for stream in streams:
                assert await stream.read() == b"\x08\x01"
            third = watch(channel)
            assert await third.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "2 streams are open" in await third.details()
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            assert len((await stub.Predict(ONE)).outputs) == 1
            streams[0].cancel()
            await asyncio.sleep(0.1)
            again = watch(channel)
            assert await again.read() == b"\x08\x01"
        told = [await stream.details() for stream in (streams[1], again)]
        await channel.close()
        return told

    assert asyncio.run(inside()) == ["the server stops."] * 2


def test_reflection_tells_every_service(serve):
    """What grpcurl asks: the services, and the messages of one with all that they need."""
    pytest.importorskip("grpc_reflection")
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    async def body(url, address):
        async with grpc.aio.insecure_channel(address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            asked = [
                reflection_pb2.ServerReflectionRequest(list_services=""),
                reflection_pb2.ServerReflectionRequest(
                    file_containing_symbol="tensorflow.serving.PredictionService"
                ),
                reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such"),
            ]
            return [reply async for reply in stub.ServerReflectionInfo(iter(asked))]

    services, files, unknown = serve(body)
    assert [one.name for one in services.list_services_response.service] == [
        "grpc.reflection.v1alpha.ServerReflection",
        "tensorflow.serving.ModelService",
        "tensorflow.serving.PredictionService",
    ]
    found = [
        descriptor_pb2.FileDescriptorProto.FromString(one)
        for one in files.file_descriptor_response.file_descriptor_proto
    ]
    names = {file.name for file in found}
    (service,) = (one for file in found for one in file.service)
    assert {method.name for method in service.method} >= {"Predict", "Classify", "MultiInference"}
    assert all(name in names for file in found for name in file.dependency)
    assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
