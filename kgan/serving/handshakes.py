"""Connections that wait for their TLS to begin: counted, so that they cannot use up all files.

asyncio waits a minute for each, and nothing else knows of them before their handshake has ended.
"""

import contextlib
import socket


class HandshakeSocket(socket.socket):
    """A listening socket that knows which of its connections have not ended their TLS handshake.

    Where there are more than `most`, the one that has waited for the longest time is dropped.

    Args:
        listening: A listening socket, which this one takes the place of.
        most: Most connections at a time whose handshake has not ended, at least 1.
    """

    def __init__(self, listening: socket.socket, most: int):
        super().__init__(fileno=listening.detach())
        self.most = most
        # By the number of its file, in the order in which they came.
        self._waiting: dict[int, socket.socket] = {}

    def accept(self) -> tuple[socket.socket, object]:
        """As of any socket."""
        connection, address = super().accept()
        # A number comes again once its file is closed.
        self._waiting.pop(connection.fileno(), None)
        self._waiting[connection.fileno()] = connection
        if len(self._waiting) > self.most:
            self._drop_oldest()
        return connection, address

    def ended(self, number: int) -> None:
        """The handshake of the connection whose file has this number has ended."""
        self._waiting.pop(number, None)

    def _drop_oldest(self) -> None:
        closed = [number for number, one in self._waiting.items() if one.fileno() < 0]
        for number in closed:
            del self._waiting[number]
        if len(self._waiting) > self.most:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            # asyncio, which waits for its first bytes, closes it.
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
