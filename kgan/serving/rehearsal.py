"""Requests of the server's own before it answers others, so that the first client waits no longer.

A warm-up file prepares a model alone. The first request to a fresh process would still pay for
threads that start and code that runs for the first time. No such request is counted
(calls into TensorFlow that start the threads of the clients' own batches are).
"""

import asyncio
import contextlib
import json
import re
import secrets
import socket
import time
from typing import Any

import grpc
import tensorflow as tf
import uvicorn
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from uvicorn.server import ServerState

from kgan.serving import grpc_service
from kgan.serving.access import Access
from kgan.serving.connections import ConnectionLimits, protocol
from kgan.serving.errors import ServingError
from kgan.serving.rest import Rest
from kgan.serving.service import Service

_TIMES = 3
# A model that takes so long, in seconds, gains nothing by being asked again.
_LONG = 0.2


async def of_rest(web: Any, rest: Rest, service: Service) -> None:
    """Asks for the state and for an answer of each model: `web` by a connection, `rest` itself.

    Whatever goes wrong meanwhile, clients will be told of; it keeps no server from starting.

    Args:
        web: An application open to all.
        rest: The one that clients will ask, whose threads start here.
        service: The models.
    """
    for name, model in list(service.repository.models.items()):
        if not model.ready:
            continue
        inputs = model.get().example
        # A connection each: one that waits for a slow model is closed. A model that refuses its own
        # example answers others as well as it can.
        with contextlib.suppress(ServingError, OSError, EOFError, asyncio.LimitOverrunError):
            async with _connected(web) as (reader, writer):
                for _ in range(_TIMES):
                    begin = time.monotonic()
                    await _ask(reader, writer, "GET", f"/v1/models/{name}")
                    if inputs is not None:
                        body = json.dumps({"inputs": inputs}).encode()
                        await _ask(reader, writer, "POST", f"/v1/models/{name}:predict", body)
                        await rest.predicted(body, name)
                    if time.monotonic() - begin > _LONG:
                        break


async def of_grpc(service: Service, *, max_body: int) -> None:
    """Asks for an answer of each model, by a server of its own that lets in nobody else.

    Args:
        service: The models.
        max_body: Most bytes of a message.
    """
    token = secrets.token_urlsafe()
    server, port = await grpc_service.start(
        service, "localhost", 0, max_body=max_body, access=Access(token=token)
    )
    metadata = (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(f"localhost:{port}") as channel:
        predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        for name, model in list(service.repository.models.items()):
            if not model.ready or (inputs := model.get().example) is None:
                continue
            dtypes = model.get().signature("").inputs
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            for key, values in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(values, dtypes[key].dtype))
            for _ in range(_TIMES):
                begin = time.monotonic()
                with contextlib.suppress(grpc.RpcError):
                    await predict(request, timeout=5, metadata=metadata)
                if time.monotonic() - begin > _LONG:
                    break
    await server.stop(0)


@contextlib.asynccontextmanager
async def _connected(web: Any):
    """A connection to the application that leaves no port open to anybody else."""
    limited: Any = protocol(ConnectionLimits())
    config = uvicorn.Config(
        web, log_level="warning", access_log=False, lifespan="off", http=limited
    )
    config.load()
    served, ours = socket.socketpair()
    await asyncio.get_running_loop().connect_accepted_socket(
        lambda: limited(config=config, server_state=ServerState(), app_state={}), served
    )
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _ask(reader, writer, method: str, path: str, body: bytes = b"") -> None:
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(request.encode() + body)
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
