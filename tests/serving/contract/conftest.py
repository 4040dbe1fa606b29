"""One server of one foreign model for all questions of the table."""

import asyncio
import threading

import grpc
import httpx
import pytest
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from kgan.serving import server
from kgan.serving.repository import Model, Repository
from tests.serving.contract import models


class Server:
    """A running server: REST by `ask`, gRPC by the official stubs."""

    def __init__(self, ports):
        port, grpc_port = ports
        self.rest = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def ask(self, method, path, content=None, **headers):
        return self.rest.request(method, path, content=content, headers=headers)

    def close(self):
        self.rest.close()
        self.channel.close()


@pytest.fixture(scope="session")
def official(tmp_path_factory):
    """A server of the model `m`, version 123, labelled `stable`."""
    folder = models.write(tmp_path_factory.mktemp("contract") / "m")
    repository = Repository([Model("m", folder, labels={"stable": 123, "gone": 7})])
    repository.poll()
    ready, ports, loops = threading.Event(), [], []

    async def body():
        loops.append((asyncio.get_running_loop(), asyncio.Event()))
        async with server.running(repository, server.Limits(poll=0)) as found:
            ports.extend(found)
            ready.set()
            await loops[0][1].wait()

    thread = threading.Thread(target=asyncio.run, args=(body(),))
    thread.start()
    assert ready.wait(60)
    running = Server(ports)
    yield running
    running.close()
    loop, stop = loops[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
