"""TensorFlow Serving's REST contract."""

import asyncio
import gzip
import json
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import unquote

from google.protobuf.json_format import MessageToDict, MessageToJson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis import classification_pb2, regression_pb2

from kgan.serving import bodies, examples, json_examples, json_tensors
from kgan.serving.errors import ServingError, invalid
from kgan.serving.service import Service, definitions
from kgan.serving.signature import Signature

log = logging.getLogger("kgan.serving")
_Made = TypeVar("_Made")

_MODEL = r"(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(rf"/v1/models/{_MODEL}:(?P<method>predict|classify|regress)", re.I)
_STATUS = re.compile(rf"/v1/models(?:/{_MODEL})?(?:/(?P<metadata>metadata))?", re.I)
# Bodies up to this size are read and written in the event loop: a thread would take longer.
_SMALL = 32 * 1024
# Replies from this size on are compressed for clients that take it.
_WORTH_GZIP = 1024
# Not where it is named to be refused: gzip;q=0.
_GZIP_TAKEN = re.compile(r"(?:^|,)\s*(?:x-)?gzip\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))", re.I)
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


class Rest:
    """The endpoints below /v1/, and the metrics.

    Args:
        service: The models.
        max_body: Most bytes in a request's body.
    """

    def __init__(self, service: Service, *, max_body: int = 16 * 2**20):
        self.service = service
        self.max_body = max_body

    def routes(self) -> list[Route]:
        """For a Starlette application; the last one takes every path."""
        return [
            Route("/monitoring/prometheus/metrics", self._metrics),
            Route("/{rest:path}", self._answer, methods=_METHODS),
        ]

    async def predicted(self, body: bytes, name: str) -> bytes:
        """What a body is answered with by a model's newest version; it is not counted.

        Raises:
            ServingError: As a client would get it.
        """
        return await self._predict(body, "predict", name, None, None)

    async def _metrics(self, request: Request) -> Response:
        self.service.measures.observe_versions(self.service.repository)
        text = await asyncio.to_thread(self.service.measures.text)
        return Response(text, media_type="text/plain; version=0.0.4")

    async def _answer(self, request: Request) -> Response:
        return await answer(request, self._dispatch)

    async def _dispatch(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        if request.method == "POST" and (match := _PREDICT.fullmatch(path)):
            return await self._ask(request, match)
        if request.method == "GET" and (match := _STATUS.fullmatch(path)):
            return self._tell(match)
        if not path.lower().startswith("/v1/"):
            raise ServingError("NOT_FOUND", f"there is nothing at {path}.")
        raise invalid(f"Malformed request: {request.method} {path}")

    async def _ask(self, request: Request, match: re.Match) -> Response:
        asked, method = _asked(match), match["method"].lower()
        with self.service.counted(asked[0], "rest", method):
            body = await bodies.read(request, limit=self.max_body, timeout=self.service.timeout)
            answering = self._predict if method == "predict" else self._infer
            reply = await while_connected(request, answering(body, method, *asked))
            taken = request.headers.get("accept-encoding", "")
            packed = len(reply) >= _WORTH_GZIP and _GZIP_TAKEN.search(taken) is not None
            if packed:
                reply = await asyncio.to_thread(gzip.compress, reply, 1)
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"} if packed else None
        return Response(reply, headers=headers, media_type="application/json")

    async def _predict(
        self, body: bytes, method: str, name: str, version: int | None, label: str | None
    ) -> bytes:
        def find(signature: str) -> Signature:
            servable = self.service.servable(name, version, label)
            try:
                return servable.signature(signature)
            except KeyError:
                raise invalid(
                    f'Serving signature name: "{signature or "serving_default"}" not found in '
                    f"signature def; choose from {', '.join(sorted(servable.signatures))}."
                ) from None

        parsed = await _maybe_in_thread(len(body), json_tensors.parse, body, find)
        outputs = await self.service.predict(parsed.signature, parsed.inputs)
        size = sum(array.nbytes for array in outputs.values())
        return await _maybe_in_thread(size, _dump, outputs, parsed.by_row)

    async def _infer(
        self, body: bytes, method: str, name: str, version: int | None, label: str | None
    ) -> bytes:
        wanted, asked = await _maybe_in_thread(len(body), json_examples.parse, body)
        servable = self.service.servable(name, version, label)
        result: Any = (
            classification_pb2.ClassificationResult()
            if method == "classify"
            else regression_pb2.RegressionResult()
        )
        signature = signature_to_infer(servable, wanted)
        await self.service.infer(signature, asked, examples.METHODS[method], result)
        return await asyncio.to_thread(json_examples.dump, result)

    def _tell(self, match: re.Match) -> Response:
        if match["name"] is None:
            raise invalid("Missing model name in request.")
        asked = _asked(match)
        if not match["metadata"]:
            return _json(
                MessageToJson(
                    self.service.status(*asked), always_print_fields_with_no_presence=True
                )
            )
        reply = self.service.metadata(*asked)
        options = {
            "always_print_fields_with_no_presence": True,
            "preserving_proto_field_name": True,
        }
        content = {
            "model_spec": MessageToDict(reply.model_spec, **options),
            "metadata": {
                "signature_def": MessageToDict(
                    definitions(self.service.servable(*asked)), **options
                )
            },
        }
        return _json(json.dumps(content, indent=1))


async def answer(request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
    """What the handler returns, or its error as `{"error": message}`."""
    try:
        return await handler(request)
    except ServingError as error:
        return refused(error)
    except ClientDisconnect:
        return _json(json.dumps({"error": "the client went away."}), 499)
    except Exception as error:
        log.exception("%s %s", request.method, request.url.path)
        return _json(json.dumps({"error": f"{type(error).__name__}: {error}"}), 500)


def refused(error: ServingError) -> Response:
    """An error as a reply."""
    content = json.dumps({"error": error.message})
    # What is left of a body that was not read must not be taken for the next request.
    if error.http_status in (401, 403, 408, 413, 415):
        return bodies.Refusal(content, error.http_status)
    reply = _json(content, error.http_status)
    if error.http_status == 429:
        reply.headers["Retry-After"] = "1"
    return reply


async def while_connected(request: Request, answering: Coroutine[Any, Any, _Made]) -> _Made:
    """What a coroutine returns; it is cancelled where the client goes away meanwhile.

    Raises:
        ServingError: CANCELLED.
    """
    task = asyncio.ensure_future(answering)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ServingError("CANCELLED", "the client went away.")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def signature_to_infer(servable: Any, name: str) -> Signature:
    """The signature for Classify or Regress."""
    try:
        return servable.signature(name)
    except KeyError:
        raise invalid(
            f"No signature was found with the name: {name or 'serving_default'}"
        ) from None


def _asked(match: re.Match) -> tuple[str, int | None, str | None]:
    digits = match["version"]
    if digits is not None and (len(digits.lstrip("0")) > 19 or int(digits[-20:]) >= 2**63):
        raise invalid(f"Failed to convert version: {digits[:80]} to numeric.")
    version = None if digits is None else int(digits.lstrip("0") or "0")
    label = None if match["label"] is None else unquote(match["label"])
    return unquote(match["name"]), version, label


def _dump(outputs, by_row: bool) -> bytes:
    return json_tensors.dump(outputs, by_row=by_row)


def _json(content: str, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


async def _maybe_in_thread(size: int, function, *arguments):
    if size <= _SMALL:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
