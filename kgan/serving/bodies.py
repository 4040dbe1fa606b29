"""Bodies of requests: read up to a limit, inflated up to the same, and waited for in bounds."""

import asyncio
import zlib
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kgan.serving.errors import ServingError, invalid

# How long, and how much, a client that was refused may go on sending: where the connection is
# closed at once, the client does not see the answer.
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 256 * 2**20
_STEP = 4 * 1024


async def read(request: Request, *, limit: int, timeout: float) -> bytes:
    """The whole body, inflated where it came as gzip.

    Args:
        request: The request.
        limit: Most bytes of the body, as it came and inflated.
        timeout: Longest time for it, in seconds.

    Raises:
        ServingError: With status 413 for more than `limit` bytes, at once where the head says so;
            408 for a client that takes longer than `timeout`; CANCELLED for one that goes away;
            415 for another encoding; INVALID_ARGUMENT for damaged gzip.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise ServingError(
            "INVALID_ARGUMENT",
            f"the Content-Encoding must be gzip or identity, got {encoding[:40]!r}.",
            http_status=415,
        )
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limit:
        raise too_large(limit, f"{int(said):,}")
    parts = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for part in request.stream():
                parts += part
                if len(parts) > limit:
                    raise too_large(limit, "more")
    except ClientDisconnect:
        raise ServingError("CANCELLED", "the client went away before its body had come.") from None
    except TimeoutError:
        raise ServingError(
            "DEADLINE_EXCEEDED", f"the body took longer than {timeout:g} s.", http_status=408
        ) from None
    if "gzip" in encoding:
        return await asyncio.to_thread(inflate, bytes(parts), limit)
    return bytes(parts)


def too_large(limit: int, size: str) -> ServingError:
    """The error for a body of more than `limit` bytes."""
    return ServingError(
        "RESOURCE_EXHAUSTED", f"a body may have {limit:,} bytes, got {size}.", http_status=413
    )


def inflate(body: bytes, limit: int) -> bytes:
    """What gzip holds; several members follow each other.

    Raises:
        ServingError: INVALID_ARGUMENT; with status 413 for more than `limit` bytes.
    """
    found, at = bytearray(), 0
    while at < len(body):
        member = zlib.decompressobj(wbits=31)
        # By pieces: what follows a member is copied with its end, and there may be 800,000 of them.
        while not member.eof:
            piece = body[at : at + _STEP]
            if not piece:
                raise invalid("the body is no gzip: it is cut off.")
            try:
                found += member.decompress(piece, limit + 1 - len(found))
            except zlib.error as error:
                raise invalid(f"the body is no gzip: {error}.") from None
            if len(found) > limit:
                raise too_large(limit, "more once inflated")
            at += len(piece) - len(member.unused_data)
    return bytes(found)


class Refusal(Response):
    """An answer to a request whose body was not read: what the client still sends is passed over
    for a while, and then the connection is closed."""

    def __init__(self, content: Any, status: int):
        super().__init__(content, status, {"Connection": "close"}, media_type="application/json")

    async def __call__(self, scope, receive, send) -> None:
        """Sends the answer."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                left = _LINGER_BYTES
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body"):
                        break
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})
