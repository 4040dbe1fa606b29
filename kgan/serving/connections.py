"""HTTP connections that nobody can hold for nothing: their number, their heads and their time.

uvicorn itself waits for a request's head without end, and keeps any number of header lines.
"""

import asyncio
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""Most bytes in the head of a request: its first line and its header lines."""

_LINGER_SECONDS = 1.0
_TOO_LONG = b"431 Request Header Fields Too Large", "the head of a request is too long"


@dataclass(frozen=True)
class ConnectionLimits:
    """What connections may take.

    Attributes:
        connections: Most connections at a time.
        per_address: Most connections of one address.
        head_seconds: Longest time for the head of a request, and between two requests.
    """

    connections: int = 1000
    per_address: int = 512
    head_seconds: float = 10.0


class LimitedProtocol(HttpToolsProtocol):
    """A connection that is dropped where its head takes too long or is too large.

    Where there are too many, the one that has sent no whole request for the longest time makes
    room, so that half-open ones shut out nobody. A request that is being answered is never dropped
    for another; where there are only such, the new connection is refused.
    """

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **options: Any):
        super().__init__(*arguments, **options)
        self.limits = limits
        # Bytes of a head that has not ended; and of its lines.
        self._head = 0
        self._lines = 0
        self._in_head = True
        self._unanswered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()
        others = [one for one in self.connections if isinstance(one, LimitedProtocol)]
        address = self.client and self.client[0]
        same = [one for one in others if (one.client and one.client[0]) == address]
        if len(same) > self.limits.per_address:
            _make_room(self, same)
        elif len(others) > self.limits.connections:
            _make_room(self, others)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        before = self._in_head
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        # Of a piece that ends in a head, what came before that is not known.
        self._head += len(data) if before else 1
        if self._head > HEAD_BYTES:
            self._refuse(*_TOO_LONG)

    def on_message_begin(self) -> None:
        self._in_head, self._lines = True, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._lines += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += len(name) + len(value) + len(b": \r\n")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._head = False, 0
        self._stop_timer()
        if self._lines > HEAD_BYTES:
            # It came in one piece with its end.
            self._refuse(*_TOO_LONG)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        if self.cycle.response_complete:
            # It was answered before its end.
            self._wait_for_head()
        else:
            self._unanswered += 1
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._unanswered = max(0, self._unanswered - 1)
        super().on_response_complete()
        if not (self._unanswered or self.pipeline or self.transport.is_closing()):
            self._wait_for_head()

    @property
    def idle(self) -> bool:
        """Whether no whole request of it waits for an answer."""
        return not self._unanswered

    def _wait_for_head(self) -> None:
        self._in_head = True
        self._since = self.loop.time()
        self._stop_timer()
        self._timer = self.loop.call_later(self.limits.head_seconds, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        if self._head and not self.transport.is_closing():
            self._refuse(b"408 Request Timeout", "the head of the request took too long")
        else:
            self.transport.close()

    def _refuse(self, status: bytes, message: str, *, linger: bool = True) -> None:
        """Answers, and closes: later where the client still sends, so that it sees the answer."""
        body = f'{{"error": "{message}"}}'.encode()
        self.transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b" % (status, len(body), body)
        )
        if not linger:
            self.transport.close()
            return
        self._refused = True
        self._stop_timer()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)


def protocol(limits: ConnectionLimits) -> Any:
    """What uvicorn makes a connection with."""
    return functools.partial(LimitedProtocol, limits=limits)


def _make_room(new: LimitedProtocol, among: Iterable[LimitedProtocol]) -> None:
    # One whose body is on its way has begun to be served: those without a head go first.
    waiting = [one for one in among if one.idle and one is not new]
    waiting = [one for one in waiting if not one.transport.is_closing()]
    if waiting:
        oldest = min(waiting, key=lambda one: (not one._in_head, one._since))
        oldest.transport.abort()
    else:
        message = "all connections are in use; try again later"
        new._refuse(b"503 Service Unavailable", message, linger=False)
