"""HTTP connections that nobody can hold for nothing: their number, their heads and their time.

uvicorn itself waits for a request's head without end, and keeps any number of header lines.
"""

import asyncio
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""Most bytes in the head of a request: its first line and its header lines."""

_LINGER_SECONDS = 1.0
# What came is read in pieces, until a request must wait for the one before it: 256 kB hold 14,000
# requests of a line each, and all of them would take memory.
_PIECE = 4 * 1024
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

    def __init__(
        self,
        *arguments: Any,
        limits: ConnectionLimits,
        secured: Callable[[int], None] | None,
        **options: Any,
    ):
        super().__init__(*arguments, **options)
        self.limits = limits
        self._secured = secured
        # Bytes of a head that has not ended, or of what is no body; and of a request's lines.
        self._head = 0
        self._lines = 0
        self._in_head = self._moved = True
        self._unanswered = 0
        self._rest = b""
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._refused = False
        self._refusal: tuple[bytes, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._secured is not None:
            self._secured(transport.get_extra_info("socket").fileno())
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
        self._rest += data
        self._read_on()

    def _read_on(self) -> None:
        """Reads what came, up to a request that waits for the answer to another."""
        came = memoryview(self._rest)
        at = 0
        while at < len(came) and not (self._closed or self.pipeline):
            piece = came[at : at + _PIECE]
            at += len(piece)
            self._read(piece)
        self._rest = b"" if self._closed else bytes(came[at:])

    @property
    def _closed(self) -> bool:
        return self._refused or self._refusal is not None or self.transport.is_closing()

    def _read(self, piece: memoryview) -> None:
        self._moved = False
        super().data_received(piece)  # type: ignore[arg-type]
        # Of a piece with the end of a head or with a body, what belongs to the next is not known.
        self._head = int(self._in_head) if self._moved else self._head + len(piece)
        if self._head > HEAD_BYTES and not self._closed:
            self._refuse(*_TOO_LONG)

    def on_message_begin(self) -> None:
        self._in_head, self._lines = True, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._lines += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += len(name) + len(value) + len(b": \r\n")
        if self._lines > HEAD_BYTES:
            if not self._closed:
                self._refuse(*_TOO_LONG)
        elif self._in_head:
            # Lines after a body in chunks nobody reads.
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._closed:
            return
        self._in_head, self._moved = False, True
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._moved = True
        if not self._closed:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._closed:
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
        if self.transport.is_closing():
            return
        if self._refusal is not None and not self._unanswered:
            self._refuse(*self._refusal)
        elif not (self._unanswered or self.pipeline):
            self._wait_for_head()
        self._read_on()

    @property
    def idle(self) -> bool:
        """Whether no whole request of it waits for an answer."""
        return not self._unanswered

    def _wait_for_head(self) -> None:
        self._in_head, self._head = True, 0
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
        """Answers, and closes: later where the client still sends, so that it sees the answer.

        Requests that came whole before are answered first, and one of which a part came is not.
        """
        if self._unanswered:
            self._refusal = status, message
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
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


def protocol(limits: ConnectionLimits, secured: Callable[[int], None] | None = None) -> Any:
    """What uvicorn makes a connection with.

    Args:
        limits: What connections may take.
        secured: Told the number of a connection's file once its TLS handshake has ended.
    """
    return functools.partial(LimitedProtocol, limits=limits, secured=secured)


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
