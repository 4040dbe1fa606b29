"""Who may ask: names of this server, pages of other sites, and a token.

A page of any site can make a browser send requests to a server on the same machine. Two things
tell such requests: `Host` is the site's own name where that name was pointed at this machine (DNS
rebinding), and `Origin` is the site. A type of content that a browser sends elsewhere without
asking first is refused as well.
"""

import hmac
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from kgan.serving.errors import ServingError

_LOCAL = ("localhost", "127.0.0.1", "::1")
# What a form of another site may send; curl, which the guide uses, sends the first.
_FORM = "application/x-www-form-urlencoded"
_SIMPLE = ("text/plain", "multipart/form-data")


@dataclass(frozen=True)
class Access:
    """Who may ask a server.

    Attributes:
        hosts: Names by which the server may be asked; "*" stands for any.
        any_address: Whether it may be asked by any IP address, which no site can claim.
        origins: Other sites whose pages may ask, such as "https://example.org"; "*" for all.
        token: What a client must send as `Authorization: Bearer TOKEN`; `None` for nothing.
    """

    hosts: tuple[str, ...] = _LOCAL
    any_address: bool = False
    origins: tuple[str, ...] = ()
    token: str | None = None

    @classmethod
    def of(
        cls,
        address: str,
        *,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        token: str | None = None,
    ) -> "Access":
        """The access of a server that listens on an address.

        Args:
            address: What it listens on, such as "127.0.0.1".
            hosts: Further names by which it may be asked.
            origins: Other sites whose pages may ask.
            token: What a client must send.
        """
        local = address in _LOCAL
        own = _LOCAL if local else (*_LOCAL, address.lower(), socket.gethostname().lower())
        return cls((*own, *(host.lower() for host in hosts)), not local, tuple(origins), token)

    def check_host(self, host: str) -> None:
        """Refuses a request by another name; `host` may end in a port.

        Raises:
            ServingError: PERMISSION_DENIED.
        """
        name = _without_port(host.strip().lower())
        # Every browser names a host; what names none is an HTTP/1.0 client, such as a health check.
        if not name:
            return
        if "*" in self.hosts or name in self.hosts or (self.any_address and _is_address(name)):
            return
        raise ServingError(
            "PERMISSION_DENIED",
            f"this server is not {host[:80]!r}: ask for one of {', '.join(self.hosts)}, or start "
            "it with --allowed-hosts NAME.",
        )

    def check_origin(self, origin: str | None, host: str) -> None:
        """Refuses what a page of another site asks.

        Raises:
            ServingError: PERMISSION_DENIED.
        """
        if origin is None or self.allows(origin) or origin.partition("://")[2] == host:
            return
        raise ServingError(
            "PERMISSION_DENIED",
            f"pages of {origin[:80]!r} may not ask; start the server with --allowed-origins "
            "to let them.",
        )

    def allows(self, origin: str) -> bool:
        """Whether pages of another site may ask."""
        return "*" in self.origins or origin in self.origins

    def check_content(self, content_type: str, site: str | None) -> None:
        """Refuses a body of a type that any page may send.

        Args:
            content_type: The header of that name.
            site: The header `Sec-Fetch-Site`, which a browser sends.

        Raises:
            ServingError: With status 415.
        """
        kind = content_type.partition(";")[0].strip().lower()
        elsewhere = site in ("cross-site", "same-site")
        if kind in _SIMPLE or (kind == _FORM and elsewhere):
            raise ServingError(
                "INVALID_ARGUMENT",
                f"the body must be application/json, got the Content-Type {kind}.",
                http_status=415,
            )

    def check_token(self, authorization: str | None) -> None:
        """Refuses a client without the token.

        Raises:
            ServingError: UNAUTHENTICATED.
        """
        if self.token is None:
            return
        scheme, _, given = (authorization or "").partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.token.encode())
        if scheme.lower() != "bearer" or not same:
            raise ServingError(
                "UNAUTHENTICATED", "send the server's token as Authorization: Bearer TOKEN."
            )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() and ":" not in name else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
