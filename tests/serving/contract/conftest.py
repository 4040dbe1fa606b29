"""One server of one foreign model for all questions of the table."""

import grpc
import httpx
import pytest
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from kgan.serving.repository import Model, Repository
from tests.serving import in_thread
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
    with in_thread.running(repository) as ports:
        running = Server(ports)
        yield running
        running.close()
