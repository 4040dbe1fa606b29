"""TensorFlow Serving's gRPC contract: PredictionService and ModelService."""

from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kgan.serving.errors import ServingError, invalid
from kgan.serving.service import Service

# TensorFlow Serving answers in these fields, which clients in other languages read.
_FIELDS = {
    np.dtype(np.float32): "float_val",
    np.dtype(np.float64): "double_val",
    np.dtype(np.int64): "int64_val",
    np.dtype(np.int32): "int_val",
    np.dtype(np.uint8): "int_val",
    np.dtype(np.bool_): "bool_val",
}


async def start(service: Service, host: str, port: int, *, max_body: int) -> tuple:
    """Starts a gRPC server in this event loop.

    Returns:
        The server and its port (the chosen one for port 0).

    Raises:
        OSError: Where the port is taken.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", max_body),
            ("grpc.max_send_message_length", -1),
            # Otherwise a second server takes half of the requests, and nobody notices.
            ("grpc.so_reuseport", 0),
        ]
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(service), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(service), server)
    try:
        port = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"port {port} on {host} cannot be used: {error}") from None
    await server.start()
    return server, port


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, service: Service):
        self.service = service

    async def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            with self.service.counted(request.model_spec.name, "grpc"):
                return await self._predict(request, context)

    async def _predict(self, request, context):
        servable = self.service.servable(*_asked(request.model_spec))
        name = request.model_spec.signature_name
        try:
            signature = servable.signature(name)
        except KeyError:
            raise ServingError(
                "FAILED_PRECONDITION",
                f'Serving signature key "{name or "serving_default"}" not found.',
            ) from None
        wanted = list(request.output_filter)
        if unknown := set(wanted) - set(signature.outputs):
            raise invalid(f"output tensor alias not found in signature: {sorted(unknown)[0]}")
        outputs = await self.service.predict(
            signature,
            {key: _array(key, proto) for key, proto in request.inputs.items()},
            within=context.time_remaining(),
        )
        reply = predict_pb2.PredictResponse()
        reply.model_spec.name = servable.name
        reply.model_spec.version.value = servable.version
        reply.model_spec.signature_name = signature.name
        for key in wanted or outputs:
            _fill(reply.outputs[key], outputs[key])
        return reply

    async def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> Any:
        async with _Aborting(context):
            if list(request.metadata_field) != ["signature_def"]:
                raise invalid("metadata_field must be signature_def.")
            return self.service.metadata(*_asked(request.model_spec))

    async def Classify(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        async with _Aborting(context):
            raise invalid("the exported signatures answer Predict only.")

    Regress = MultiInference = Classify


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, service: Service):
        self.service = service

    async def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            return self.service.status(*_asked(request.model_spec))

    async def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
    ) -> Any:
        async with _Aborting(context):
            raise ServingError(
                "UNIMPLEMENTED", "the models are those of the command line; start anew for others."
            )


class _Aborting:
    """Answers a `ServingError` with its code."""

    def __init__(self, context: grpc.aio.ServicerContext):
        self.context = context

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, traceback):
        if isinstance(error, ServingError):
            await self.context.abort(getattr(grpc.StatusCode, error.code), error.message)


def _asked(spec) -> tuple[str, int | None, str | None]:
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


def _array(name: str, proto) -> np.ndarray:
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise invalid(f"the input {name!r} is no tensor: {error}") from None


def _fill(proto, array: np.ndarray) -> None:
    field = _FIELDS.get(array.dtype)
    if field is None:
        proto.CopyFrom(tf.make_tensor_proto(array))
        return
    proto.dtype = tf.as_dtype(array.dtype).as_datatype_enum
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, field).extend(array.ravel().tolist())
