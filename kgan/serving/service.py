"""What both contracts share: find the model, queue the request, count it, tell of the models."""

import asyncio
import logging
import time
from contextlib import contextmanager
from typing import Any

from google.protobuf import wrappers_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from kgan.serving import examples, image_files
from kgan.serving.batching import Batcher
from kgan.serving.errors import ServingError, invalid
from kgan.serving.measures import Measures
from kgan.serving.repository import Model, Repository
from kgan.serving.servable import Servable
from kgan.serving.signature import Arrays, Signature

log = logging.getLogger("kgan.serving")


class Service:
    """The models and the queue in front of them.

    Args:
        repository: The models.
        batcher: The queue.
        measures: The counters of the server.
        timeout: Longest time for a request, in seconds.
        max_rows: Largest number of rows in a request.
        max_bytes: Most bytes of the arrays that a request's image files hold.
    """

    def __init__(
        self,
        repository: Repository,
        batcher: Batcher,
        measures: Measures,
        *,
        timeout: float = 30.0,
        max_rows: int = 1024,
        max_bytes: int = 16 * 2**20,
    ):
        self.repository = repository
        self.batcher = batcher
        self.measures = measures
        self.timeout = timeout
        self.max_rows = max_rows
        self.max_bytes = max_bytes

    def servable(self, name: str, version: int | None, label: str | None) -> Servable:
        """The version that a request names."""
        return self.repository.model(name).get(version, label)

    async def predict(
        self, signature: Signature, inputs: Arrays, *, within: float | None = None
    ) -> Arrays:
        """The outputs; raises `ServingError`."""
        inputs = signature.fit(inputs)
        rows = signature.check(inputs)
        if rows is not None and rows > self.max_rows:
            raise invalid(f"a request may have {self.max_rows} rows, got {rows}.")
        if signature.file_channels is not None:
            await asyncio.to_thread(self._check_files, signature, inputs)
        within = self.timeout if within is None else min(within, self.timeout)
        return await self.batcher.submit(signature, inputs, within=within)

    def _check_files(self, signature: Signature, inputs: Arrays) -> None:
        for name, array in inputs.items():
            if array.dtype == object:
                image_files.check(
                    name,
                    array.ravel().tolist(),
                    channels=signature.file_channels or 1,
                    limit=self.max_bytes,
                )

    async def infer(
        self,
        signature: Signature,
        asked: Any,
        method: str,
        result: Any,
        *,
        within: float | None = None,
    ) -> None:
        """Classify or Regress.

        Args:
            signature: The signature.
            asked: The `Input` message with the examples.
            method: `examples.CLASSIFY` or `examples.REGRESS`.
            result: The ClassificationResult or RegressionResult to write.
            within: Time in seconds after which the client no longer waits.

        Raises:
            ServingError: Where the signature cannot answer, or does not answer what it should.
        """
        examples.check(signature, method)
        serialized = await asyncio.to_thread(examples.serialized, asked)
        outputs = await self.predict(signature, {"inputs": serialized}, within=within)
        await asyncio.to_thread(examples.fill, result, outputs, len(serialized), method)

    @contextmanager
    def counted(self, model: str, api: str, method: str = "predict"):
        """Counts a request by how it ends, and times it; any other error becomes INTERNAL."""
        begin = time.perf_counter()
        code = "OK"
        # A name of the client's making must not become a label.
        known = model if model in self.repository.models else "unknown"
        try:
            yield
        except ServingError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception as error:
            code = "INTERNAL"
            log.exception("a request for %s failed", known)
            raise ServingError("INTERNAL", f"{type(error).__name__}: {error}") from error
        finally:
            self.measures.observe_request(known, api, method, code, time.perf_counter() - begin)

    def status(
        self, name: str, version: int | None, label: str | None
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The state of one version, or of all that were seen."""
        model = self._known(name)
        if label is not None:
            version = model.get(label=label).version
        states = dict(model.states)
        if version is not None and version not in states:
            raise ServingError("NOT_FOUND", f"Could not find version {version} of model {name}")
        reply = get_model_status_pb2.GetModelStatusResponse()
        for number in sorted(states, reverse=True):
            if version in (None, number):
                told = reply.model_version_status.add(version=number)
                told.state = told.State.Value(states[number].state)
                told.status.SetInParent()
                if states[number].error:
                    told.status.error_code = 2  # UNKNOWN
                    told.status.error_message = states[number].error
        return reply

    def metadata(
        self, name: str, version: int | None, label: str | None
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version, packed as TensorFlow Serving packs them."""
        servable = self.servable(name, version, label)
        reply = get_model_metadata_pb2.GetModelMetadataResponse()
        reply.model_spec.name = name
        reply.model_spec.version.CopyFrom(wrappers_pb2.Int64Value(value=servable.version))
        reply.metadata["signature_def"].Pack(definitions(servable))
        return reply

    def _known(self, name: str) -> Model:
        model = self.repository.models.get(name)
        if model is None or not model.states:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {name}")
        return model


def definitions(servable: Servable) -> get_model_metadata_pb2.SignatureDefMap:
    """A version's signatures as one message."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for key, definition in servable.definitions.items():
        signatures.signature_def[key].CopyFrom(definition)
    return signatures
