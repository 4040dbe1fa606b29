"""TensorFlow Serving's gRPC contract, from the client's side; needs the extra `serve`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kgan.client.arrays import as_type, text
from kgan.client.errors import ServerError


class Grpc:
    """One model of a server, over gRPC; arguments as for `Client`."""

    def __init__(
        self,
        address: str,
        model: str,
        version: int | None,
        label: str | None,
        timeout: float,
        token: str | None = None,
        certificates: Path | None = None,
        *,
        secure: bool = False,
    ):
        try:
            import grpc
            from tensorflow_serving.apis import (
                get_model_metadata_pb2,
                get_model_status_pb2,
                model_service_pb2_grpc,
                predict_pb2,
                prediction_service_pb2_grpc,
            )
        except ImportError as error:
            raise ImportError(f"gRPC needs {error.name}: pip install 'kgan[serve]'.") from error
        self._address = address
        self._timeout = timeout
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        if secure:
            roots = None if certificates is None else certificates.read_bytes()
            credentials = grpc.ssl_channel_credentials(roots)
            self._channel = grpc.secure_channel(address, credentials, options)
        else:
            self._channel = grpc.insecure_channel(address, options)
        self._scheme = "grpcs" if secure else "grpc"
        self._metadata = None if token is None else [("authorization", f"Bearer {token}")]
        self._error = grpc.RpcError
        self._requests = predict_pb2, get_model_status_pb2, get_model_metadata_pb2
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._types: dict[str, dict[str, np.dtype]] = {}
        self._spec: dict[str, Any] = {"name": model}
        if version is not None:
            self._spec["version"] = {"value": version}
        if label is not None:
            self._spec["version_label"] = label

    def __str__(self) -> str:
        return f"{self._scheme}://{self._address}"

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray]
    ) -> np.ndarray | dict[str, np.ndarray]:
        import tensorflow as tf

        types = self._types_of(signature)
        request = self._requests[0].PredictRequest(
            model_spec={**self._spec, "signature_name": signature},
            inputs={
                name: tf.make_tensor_proto(as_type(array, types.get(name)))
                for name, array in inputs.items()
            },
        )
        reply = self._ask(self._prediction.Predict, request)
        outputs = {
            name: text(name, tf.make_ndarray(proto)) for name, proto in reply.outputs.items()
        }
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    def _types_of(self, signature: str) -> dict[str, np.dtype]:
        """numpy's types of a signature's inputs, asked for once: REST knows them, gRPC does not."""
        import tensorflow as tf

        if not self._types:
            self._types = {
                name: {
                    key: np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype)
                    for key, info in one.inputs.items()
                }
                for name, one in self._signatures().signature_def.items()
            }
        return self._types.get(signature, {})

    def status(self) -> list[dict[str, Any]]:
        from google.protobuf.json_format import MessageToDict

        request = self._requests[1].GetModelStatusRequest(model_spec=self._spec)
        reply = self._ask(self._models.GetModelStatus, request)
        versions = MessageToDict(reply, always_print_fields_with_no_presence=True)
        return [
            {**version, "version": int(version["version"])}
            for version in versions["model_version_status"]
        ]

    def metadata(self) -> dict[str, Any]:
        from google.protobuf.json_format import MessageToDict

        return MessageToDict(
            self._signatures(),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )["signature_def"]

    def _signatures(self):
        request = self._requests[2].GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=["signature_def"]
        )
        reply = self._ask(self._prediction.GetModelMetadata, request)
        signatures = self._requests[2].SignatureDefMap()
        reply.metadata["signature_def"].Unpack(signatures)
        return signatures

    def _ask(self, method, request):
        try:
            return method(request, timeout=self._timeout, metadata=self._metadata)
        except self._error as error:
            raise ServerError(str(self), error.code().name, error.details()) from None
