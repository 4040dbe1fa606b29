"""TensorFlow Serving's REST contract."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from google.protobuf.json_format import MessageToDict, MessageToJson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kgan.serving import json_tensors
from kgan.serving.errors import ServingError, invalid
from kgan.serving.service import Service, definitions

log = logging.getLogger("kgan.serving")

_MODEL = r"(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(rf"/v1/models/{_MODEL}:(?P<method>predict|classify|regress)", re.I)
_STATUS = re.compile(rf"/v1/models(?:/{_MODEL})?(?:/(?P<metadata>metadata))?", re.I)
# Bodies up to this size are read and written in the event loop: a thread would take longer.
_SMALL = 32 * 1024
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

    async def _metrics(self, request: Request) -> Response:
        text = self.service.measures.text(self.service.repository)
        return Response(text, media_type="text/plain; version=0.0.4")

    async def _answer(self, request: Request) -> Response:
        return await answer(request, self._dispatch)

    async def _dispatch(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        if request.method == "POST" and (match := _PREDICT.fullmatch(path)):
            return await self._predict(request, match)
        if request.method == "GET" and (match := _STATUS.fullmatch(path)):
            return self._tell(match)
        if not path.lower().startswith("/v1/"):
            raise ServingError("NOT_FOUND", f"there is nothing at {path}.")
        raise invalid(f"Malformed request: {request.method} {path}")

    async def _predict(self, request: Request, match: re.Match) -> Response:
        name, version, label = _asked(match)
        with self.service.counted(name, "rest"):
            if match["method"].lower() != "predict":
                raise invalid(f"{name!r} answers :predict only, got :{match['method']}.")
            body = await read_body(request, limit=self.max_body, timeout=self.service.timeout)
            servable = self.service.servable(name, version, label)

            def find(signature: str):
                try:
                    return servable.signature(signature)
                except KeyError:
                    raise invalid(
                        f"Serving signature name: {signature or 'serving_default'!r} not found; "
                        f"choose from {', '.join(sorted(servable.signatures))}."
                    ) from None

            parsed = await _maybe_in_thread(len(body), json_tensors.parse, body, find)
            outputs = await self.service.predict(parsed.signature, parsed.inputs)
            size = sum(array.nbytes for array in outputs.values())
            reply = await _maybe_in_thread(size, _dump, outputs, parsed.by_row)
        return Response(reply, media_type="application/json")

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
        content, status = error.message, error.http_status
    except ClientDisconnect:
        content, status = "the client went away.", 499
    except Exception as error:
        log.exception("%s %s", request.method, request.url.path)
        content, status = f"{type(error).__name__}: {error}", 500
    # What is left of a body that was not read must not be taken for the next request.
    headers = {"Connection": "close"} if status == 408 else None
    return _json(json.dumps({"error": content}), status, headers)


async def read_body(request: Request, *, limit: int, timeout: float) -> bytes:
    """The whole body.

    Raises:
        ServingError: With status 413 for more than `limit` bytes, 408 for a client that takes
            longer than `timeout` seconds to send it.
    """
    parts = bytearray()
    received = 0
    try:
        async with asyncio.timeout(timeout):
            # What is too long is read to its end and dropped: a client that is still sending
            # would not see the answer.
            async for part in request.stream():
                received += len(part)
                if received <= limit:
                    parts += part
    except TimeoutError:
        raise ServingError(
            "DEADLINE_EXCEEDED", f"the body took longer than {timeout:g} s.", http_status=408
        ) from None
    if received > limit:
        raise ServingError(
            "RESOURCE_EXHAUSTED",
            f"a body may have {limit:,} bytes, got {received:,}.",
            http_status=413,
        )
    return bytes(parts)


def _asked(match: re.Match) -> tuple[str, int | None, str | None]:
    version = None if match["version"] is None else int(match["version"])
    if version is not None and version >= 2**63:
        raise invalid(f"Failed to convert version: {version} to numeric.")
    label = None if match["label"] is None else unquote(match["label"])
    return unquote(match["name"]), version, label


def _dump(outputs, by_row: bool) -> bytes:
    return json_tensors.dump(outputs, by_row=by_row)


def _json(content: str, status: int = 200, headers: dict | None = None) -> Response:
    return Response(content, status, headers, media_type="application/json")


async def _maybe_in_thread(size: int, function, *arguments):
    if size <= _SMALL:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
