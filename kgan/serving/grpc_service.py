"""TensorFlow Serving's gRPC contract: PredictionService and ModelService."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from kgan.serving import examples, tensors
from kgan.serving.access import Access
from kgan.serving.errors import ServingError, invalid
from kgan.serving.grpc_health import Health
from kgan.serving.grpc_streams import Streams
from kgan.serving.service import Service
from kgan.serving.signature import Arrays, Signature

try:
    from grpc_reflection.v1alpha import reflection
except ImportError:  # An extra `serve` that was installed earlier lacks it.
    reflection = None

log = logging.getLogger("kgan.serving")

# What reflection tells of; health, whose messages are written by hand, has no description.
_SERVICES = tuple(
    service.full_name
    for file in (prediction_service_pb2, model_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)
_HEADER_BYTES = 16 * 1024
# Messages up to this size are read and written in the event loop.
_SMALL = 32 * 1024
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", _HEADER_BYTES),
    ("grpc.absolute_max_metadata_size", _HEADER_BYTES),
    ("grpc.server_handshake_timeout_ms", 10_000),
]


async def start(
    service: Service,
    host: str,
    port: int,
    *,
    max_body: int,
    access: Access | None = None,
    certificate: tuple[Path, Path] | None = None,
    max_requests: int = 1000,
    reload: Callable[[Any], None] | None = None,
    shared: bool = False,
) -> tuple["Running", int]:
    """Starts a gRPC server in this event loop.

    Args:
        service: The models.
        host: The address to listen on.
        port: The port; 0 for any that is free.
        max_body: Most bytes of a message, and of each tensor in it.
        access: Who may ask.
        certificate: The files of a certificate and of its key, for TLS.
        max_requests: Most requests at a time; further ones get RESOURCE_EXHAUSTED.
        reload: What takes a ModelServerConfig in place of the present one; may take long.
        shared: Whether other processes of this user listen on the same port.

    Returns:
        The server and its port (the chosen one for port 0).

    Raises:
        OSError: Where the port is taken.
    """
    token = () if access is None or access.token is None else (_Token(access),)
    streams = Streams(max(1, max_requests // 10))
    server = grpc.aio.server(
        interceptors=(*token, streams),
        options=[
            ("grpc.max_receive_message_length", max_body),
            # Unasked, a second server would take half of the requests, and nobody would notice.
            ("grpc.so_reuseport", int(shared)),
            *_OPTIONS,
        ],
        maximum_concurrent_rpcs=max_requests,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(service, max_body), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(service, reload), server)
    server.add_generic_rpc_handlers((Health(service.repository).handler(),))
    if reflection is not None:
        reflection.enable_server_reflection((*_SERVICES, reflection.SERVICE_NAME), server)
    try:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if certificate is None:
            port = server.add_insecure_port(address)
        else:
            chain, key = (path.read_bytes() for path in certificate)
            port = server.add_secure_port(address, grpc.ssl_server_credentials([(key, chain)]))
    except RuntimeError as error:
        raise OSError(f"port {port} on {host} cannot be used: {error}") from None
    await server.start()
    return Running(server, streams), port


class Running:
    """A server that was started."""

    def __init__(self, server: grpc.aio.Server, streams: Streams):
        self._server = server
        self._streams = streams

    async def stop(self, grace: float) -> None:
        """Ends streams, and answers what is in flight for `grace` seconds at most."""
        stopping = asyncio.ensure_future(self._server.stop(grace))
        # Nothing new comes from here on.
        await asyncio.sleep(0)
        self._streams.end()
        await stopping


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, service: Service, limit: int):
        self.service = service
        self.limit = limit

    async def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            with self.service.counted(request.model_spec.name, "grpc"):
                return await self._predict(request, context)

    async def _predict(self, request, context):
        servable = self.service.servable(*_asked(request))
        name = request.model_spec.signature_name
        try:
            signature = servable.signature(name)
        except KeyError:
            raise ServingError(
                "FAILED_PRECONDITION",
                f'Serving signature key "{name or "serving_default"}" not found.',
            ) from None
        wanted = _wanted(request.output_filter, signature)
        signature.check_names(request.inputs)
        inputs = await _maybe_in_thread(request, self._inputs, request, signature)
        outputs = await self.service.predict(signature, inputs, within=context.time_remaining())
        reply = predict_pb2.PredictResponse()
        _tell(reply.model_spec, servable, signature)
        size = sum(outputs[key].nbytes for key in wanted)
        await _maybe_in_thread(size, _fill, reply, outputs, wanted)
        return reply

    def _inputs(self, request: Any, signature: Signature) -> Arrays:
        inputs: Arrays = {}
        for protos in (signature.defaults, request.inputs):
            for name, proto in protos.items():
                inputs[name] = tensors.array_of(name, proto, limit=self.limit)
        return inputs

    async def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> Any:
        async with _Aborting(context):
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            for field in request.metadata_field:
                if field != "signature_def":
                    raise invalid(f"Metadata field {field} is not supported; ask signature_def.")
            return self.service.metadata(*_asked(request))

    async def Classify(
        self, request: classification_pb2.ClassificationRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            with self.service.counted(request.model_spec.name, "grpc", "classify"):
                reply = classification_pb2.ClassificationResponse()
                await self._infer(request, examples.CLASSIFY, reply, context)
                return reply

    async def Regress(
        self, request: regression_pb2.RegressionRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            with self.service.counted(request.model_spec.name, "grpc", "regress"):
                reply = regression_pb2.RegressionResponse()
                await self._infer(request, examples.REGRESS, reply, context)
                return reply

    async def _infer(self, request, method, reply, context):
        servable = self.service.servable(*_asked(request))
        signature = _signature(servable, request.model_spec.signature_name)
        within = context.time_remaining()
        await self.service.infer(signature, request.input, method, reply.result, within=within)
        _tell(reply.model_spec, servable, signature)

    async def MultiInference(
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            if not request.tasks:
                raise invalid("Inference request must have at least one task.")
            name = request.tasks[0].model_spec.name
            with self.service.counted(name, "grpc", "multiInference"):
                return await self._several(request, context)

    async def _several(self, request, context):
        asked: list[tuple[Any, Signature, str]] = []
        for task in request.tasks:
            if not task.model_spec.name:
                raise invalid("Found ModelSpec with an empty model name.")
            if task.model_spec.name != request.tasks[0].model_spec.name:
                raise invalid(
                    "All ModelSpecs in a MultiInferenceRequest must access the same model name."
                )
            servable = self.service.servable(*_asked(request.tasks[0]))
            signature = _signature(servable, task.model_spec.signature_name)
            if any(signature is one for _, one, _ in asked):
                raise invalid(f"Duplicate evaluation of signature: {signature.name}")
            examples.check(signature, task.method_name)
            asked.append((servable, signature, task.method_name))
        reply = inference_pb2.MultiInferenceResponse()
        for servable, signature, method in asked:
            told = reply.results.add()
            _tell(told.model_spec, servable, signature)
            classify = method == examples.CLASSIFY
            result = told.classification_result if classify else told.regression_result
            within = context.time_remaining()
            await self.service.infer(signature, request.input, method, result, within=within)
        return reply


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, service: Service, reload: Callable[[Any], None] | None):
        self.service = service
        self.reload = reload

    async def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            return self.service.status(*_asked(request))

    async def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            if self.reload is None:
                raise ServingError(
                    "UNIMPLEMENTED",
                    "the models are those of the command line; start the server with --config FILE "
                    "to change them while it runs.",
                )
            await asyncio.to_thread(self.reload, request.config)
            reply = model_management_pb2.ReloadConfigResponse()
            reply.status.SetInParent()
            return reply


class _Aborting:
    """Answers a `ServingError` with its code, and any other error with INTERNAL."""

    def __init__(self, context: grpc.aio.ServicerContext):
        self.context = context

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, traceback):
        if isinstance(error, ServingError):
            await self.context.abort(getattr(grpc.StatusCode, error.code), error.message)
        elif isinstance(error, Exception):
            log.error("a request failed", exc_info=error)
            await self.context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")


class _Token(grpc.aio.ServerInterceptor):
    """Refuses requests without the token; only health may be asked by all."""

    def __init__(self, access: Access):
        self.access = access

    async def intercept_service(self, continuation, details):
        """Passes a request on, or to a handler that refuses it."""
        handler = await continuation(details)
        if handler is None or details.method.startswith("/grpc.health.v1.Health/"):
            return handler
        given = dict(details.invocation_metadata).get("authorization")
        try:
            self.access.check_token(given)
        except ServingError as error:
            message = error.message
        else:
            return handler

        async def refuse(request, context):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, message)

        return grpc.unary_unary_rpc_method_handler(refuse)


def _asked(request) -> tuple[str, int | None, str | None]:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec: ModelSpec has no name specified.")
    spec = request.model_spec
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


def _signature(servable: Any, name: str) -> Signature:
    try:
        return servable.signature(name)
    except KeyError:
        raise invalid(
            f"No signature was found with the name: {name or 'serving_default'}"
        ) from None


def _wanted(names: Any, signature: Signature) -> list[str]:
    """The outputs that a filter names, or all."""
    wanted = list(names)
    for at, name in enumerate(wanted):
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the "
                f"set {{{','.join(signature.outputs)}}}."
            )
        if name in wanted[:at]:
            raise invalid(f"duplicate output tensor alias: {name}")
    return wanted or list(signature.outputs)


def _tell(spec: Any, servable: Any, signature: Signature) -> None:
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = signature.name


def _fill(reply: Any, outputs: Arrays, wanted: list[str]) -> None:
    for key in wanted:
        tensors.fill(reply.outputs[key], np.asarray(outputs[key]))


async def _maybe_in_thread(size: Any, function, *arguments):
    """Calls a function, in a thread for what is large: a number of bytes, or a message."""
    # A small message may ask for a large tensor, by its shape.
    if isinstance(size, int) and size <= _SMALL:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
