"""gRPC's health service, which Kubernetes and load balancers ask: `grpc.health.v1.Health`.

Its two messages have one field each, so they are written here and need no package.

Reference: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

import asyncio
from collections.abc import AsyncIterator

import grpc

from kgan.serving.repository import Repository

_NAME = "grpc.health.v1.Health"
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"
_SERVICES = (
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
)
_SECONDS = 1.0


class Health:
    """Whether every model has a version in memory.

    Args:
        repository: The models. A service's name in a request is empty, one of TensorFlow
            Serving's two, or a model's.
    """

    def __init__(self, repository: Repository):
        self.repository = repository

    def handler(self) -> grpc.GenericRpcHandler:
        """For a server."""
        return grpc.method_handlers_generic_handler(
            _NAME,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
            },
        )

    def status(self, name: str) -> bytes:
        """The reply for a service's name."""
        models = self.repository.models
        if name in models:
            asked = [models[name]]
        elif name in ("", *_SERVICES):
            asked = list(models.values())
        else:
            return _SERVICE_UNKNOWN
        return _SERVING if all(model.ready for model in asked) else _NOT_SERVING

    async def _check(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        status = self.status(_service(request))
        if status == _SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return status

    async def _watch(
        self, request: bytes, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        told = None
        while True:
            status = self.status(_service(request))
            if status != told:
                yield status
                told = status
            await asyncio.sleep(_SECONDS)


def _service(request: bytes) -> str:
    """Field 1, a string shorter than 128 bytes; empty for anything else."""
    if len(request) < 2 or request[0] != 0x0A or request[1] != len(request) - 2:
        return ""
    return request[2:].decode("utf-8", "replace")
