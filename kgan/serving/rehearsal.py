"""Requests of the server's own before it answers others, so that the first client waits no longer.

A warm-up file prepares a model alone. The first request to a fresh process would still pay for
threads that start and code that runs for the first time. Nothing of this is counted.
"""

import contextlib
import json
import time
from typing import Any

import grpc

from kgan.serving.errors import ServingError
from kgan.serving.rest import Rest
from kgan.serving.service import Service

_TIMES = 3
# A model that takes so long, in seconds, gains nothing by being asked again.
_LONG = 0.2


async def of_rest(web: Any, rest: Rest, service: Service) -> None:
    """Asks the web application for the state of each model, and for an answer of each."""
    for name, model in list(service.repository.models.items()):
        if not model.ready:
            continue
        inputs = model.get().example
        for _ in range(_TIMES):
            begin = time.monotonic()
            await _get(web, f"/v1/models/{name}")
            if inputs is not None:
                body = json.dumps({"inputs": inputs}).encode()
                # A model that refuses its own example answers others as well as it can.
                with contextlib.suppress(ServingError):
                    await rest.predicted(body, name)
            if time.monotonic() - begin > _LONG:
                break


async def of_grpc(host: str, port: int) -> None:
    """Asks a server without TLS for its health."""
    host = "localhost" if host in ("0.0.0.0", "::") else host
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    async with grpc.aio.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        for _ in range(_TIMES):
            with contextlib.suppress(grpc.RpcError):
                await check(b"", timeout=5)


async def _get(web: Any, path: str) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": None,
        "server": None,
    }

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        pass

    await web(scope, receive, send)
