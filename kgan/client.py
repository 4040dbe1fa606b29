"""A client for exported models, whoever serves them: TensorFlow Serving or `kgan serve`.

REST needs numpy alone; gRPC the extra `serve`, and it imports TensorFlow.

Strings go and come as `str`; what is no text has a name that ends in `_bytes` and comes as `bytes`,
as in TensorFlow Serving's REST contract.
"""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import ArrayLike


class ServerError(RuntimeError):
    """The server refused a request, or could not be reached.

    Attributes:
        code: REST: the HTTP status, 0 where there was no answer. gRPC: the status code's name.
        message: What the server said.
    """

    def __init__(self, where: str, code: int | str, message: str):
        super().__init__(f"{where} answered {code}: {message}" if code else f"{where}: {message}")
        self.code = code
        self.message = message


class Client:
    """Asks one model of a server.

        client = Client("http://127.0.0.1:8501", "digits")
        images = client.generate(seeds=[1, 2], labels=[3, 5])

    Args:
        url: "http://HOST:PORT" (or https) for REST, "grpc://HOST:PORT" for gRPC.
        model: The model's name on the server.
        version: Number of a version; default the newest one.
        label: Label of a version, in place of its number.
        timeout: Seconds to wait for an answer.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 30.0,
    ):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "grpc") or not parts.netloc:
            raise ValueError(
                f"url must be like http://127.0.0.1:8501 or grpc://127.0.0.1:8500, got {url!r}."
            )
        if version is not None and label is not None:
            raise ValueError(f"give a version or a label, got {version} and {label!r}.")
        kind = _Grpc if parts.scheme == "grpc" else _Rest
        self._transport: _Rest | _Grpc = kind(
            parts.netloc if kind is _Grpc else url.rstrip("/"), model, version, label, timeout
        )

    def generate(
        self, seeds: Sequence[int] | np.ndarray, labels: Sequence[int] | np.ndarray | None = None
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Samples of a generator.

        Args:
            seeds: One integer for each sample; one seed gives one sample, whatever else is asked.
            labels: One class for each sample, for a conditional generator.

        Returns:
            float32 images (n, height, width, channels) in [0, 1], or points (n, dimensions); of a
            table a dict of columns (n,) by name.
        """
        inputs = {"seeds": np.asarray(seeds, np.int64)}
        if labels is not None:
            inputs["labels"] = np.asarray(labels, np.int64)
        return self.predict("generate", **inputs)

    def predict(
        self, signature: str = "serving_default", /, **inputs: ArrayLike
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Calls any signature.

        Args:
            signature: Its name.
            **inputs: Its inputs. Whole numbers may be of any type that holds them, and so may
                floating-point ones; the signature's own is sent.

        Returns:
            The output; a dict by name where there are several. Strings are arrays of `str`.
        """
        arrays = {name: _given(value) for name, value in inputs.items()}
        return self._transport.predict(signature, arrays)

    def status(self) -> list[dict[str, Any]]:
        """The versions that the server knows: `version`, `state`, `status` each."""
        return self._transport.status()

    def metadata(self) -> dict[str, Any]:
        """Signature definitions by name: their `inputs` and `outputs`."""
        return self._transport.metadata()


class _Rest:
    def __init__(self, url, model, version, label, timeout):
        self.url = f"{url}/v1/models/{quote(model, safe='')}"
        if version is not None:
            self.url += f"/versions/{version}"
        if label is not None:
            self.url += f"/labels/{quote(label, safe='')}"
        self.timeout = timeout

    def __str__(self):
        return self.url

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]):
        body = {
            "signature_name": signature,
            "inputs": {name: _lists(array) for name, array in inputs.items()},
        }
        outputs = self._ask(":predict", json.dumps(body).encode())["outputs"]
        # A dict may also be the one string of an output without rows.
        if isinstance(outputs, dict) and set(outputs) != {"b64"}:
            return {name: _array(value) for name, value in outputs.items()}
        return _array(outputs)

    def status(self):
        versions = self._ask("")["model_version_status"]
        return [{**version, "version": int(version["version"])} for version in versions]

    def metadata(self):
        return self._ask("/metadata")["metadata"]["signature_def"]["signature_def"]

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path, body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise ServerError(self.url + path, error.code, _message(said)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ServerError(self.url + path, 0, f"no answer: {reason}") from error


class _Grpc:
    def __init__(self, address, model, version, label, timeout):
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
            raise ImportError(f"{error.name} is needed for gRPC: pip install 'kgan[serve]'.") from (
                error
            )
        self._address = address
        self._timeout = timeout
        self._channel = grpc.insecure_channel(
            address,
            options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
        )
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

    def __str__(self):
        return f"grpc://{self._address}"

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]):
        import tensorflow as tf

        types = self._types_of(signature)
        request = self._requests[0].PredictRequest(
            model_spec={**self._spec, "signature_name": signature},
            inputs={
                name: tf.make_tensor_proto(_as_type(array, types.get(name)))
                for name, array in inputs.items()
            },
        )
        reply = self._ask(self._prediction.Predict, request)
        outputs = {
            name: _text(name, tf.make_ndarray(proto)) for name, proto in reply.outputs.items()
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

    def status(self):
        from google.protobuf.json_format import MessageToDict

        request = self._requests[1].GetModelStatusRequest(model_spec=self._spec)
        reply = self._ask(self._models.GetModelStatus, request)
        versions = MessageToDict(reply, always_print_fields_with_no_presence=True)
        return [
            {**version, "version": int(version["version"])}
            for version in versions["model_version_status"]
        ]

    def metadata(self):
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
            return method(request, timeout=self._timeout)
        except self._error as error:
            raise ServerError(str(self), error.code().name, error.details()) from None


def _narrow(array: np.ndarray) -> np.ndarray:
    """float32 in place of Python's float64."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _given(value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    # numpy's own strings lose zeros at their end.
    return np.asarray(value, object) if array.dtype.kind in "SU" else _narrow(array)


def _as_type(array: np.ndarray, wanted: np.dtype | None) -> np.ndarray:
    """The array as the type that is wanted, where its values fit."""
    if wanted is None or array.dtype == wanted or not array.size:
        return array if wanted is None else array.astype(wanted)
    if wanted.kind == "f" and array.dtype.kind in "fiu":
        return array.astype(wanted)
    if wanted.kind in "iu" and array.dtype.kind in "iu":
        info = np.iinfo(wanted)
        if info.min <= int(array.min()) and int(array.max()) <= info.max:
            return array.astype(wanted)
    return array


def _array(value: Any) -> np.ndarray:
    """What JSON holds of a tensor."""
    array = np.array(value)
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype == object:
        flat = [base64.b64decode(item["b64"]) for item in array.ravel()]
        return _objects(flat, array.shape)
    return _narrow(array)


def _text(name: str, array: np.ndarray) -> np.ndarray:
    """Strings of TensorFlow's, which are bytes, as text."""
    if array.dtype != object or name.endswith("_bytes"):
        return array
    flat = [value.decode(errors="replace") for value in array.ravel()]
    return _objects(flat, array.shape)


def _objects(flat: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _lists(array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    flat = [
        value if isinstance(value, str) else {"b64": base64.b64encode(value).decode()}
        for value in array.ravel().tolist()
    ]
    return _objects(flat, array.shape).tolist()


def _message(said: str) -> str:
    try:
        return json.loads(said)["error"]
    except (ValueError, KeyError, TypeError):
        return said.strip() or "no message"
