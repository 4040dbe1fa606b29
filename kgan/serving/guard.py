"""The door of the web application: only those pass who may ask."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kgan.serving.access import Access
from kgan.serving.errors import ServingError, invalid
from kgan.serving.rest import refused


class Guarded:
    """An application that only those reach who may ask, with the headers for other sites' pages.

    Args:
        application: The application.
        access: Who may ask.
    """

    def __init__(self, application: Any, access: Access):
        self.application = application
        self.access = access

    async def __call__(self, scope, receive, send) -> None:
        """Answers a request."""
        request = Request(scope, receive)
        origin = request.headers.get("origin")
        try:
            self._check(request, origin)
        except ServingError as error:
            await refused(error)(scope, receive, send)
            return
        if origin is None or not self.access.allows(origin):
            await self.application(scope, receive, send)
            return
        headers = [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-methods", b"POST, GET"),
            (b"access-control-allow-headers", b"Content-Type, Authorization"),
            (b"vary", b"Origin"),
        ]

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        if request.method == "OPTIONS":
            await Response()(scope, receive, send_with_headers)
        else:
            await self.application(scope, receive, send_with_headers)

    def _check(self, request: Request, origin: str | None) -> None:
        headers = request.headers
        if len(headers.getlist("host")) > 1:
            # Who reads the first and who reads the last would let two different names in.
            raise invalid("a request must have one Host header.")
        self.access.check_host(headers.get("host", ""))
        self.access.check_origin(origin, headers.get("host", ""))
        if request.method == "OPTIONS":
            if origin is None:
                raise ServingError(
                    "FAILED_PRECONDITION", "Origin header is missing in CORS preflight"
                )
            return
        if request.method == "POST":
            site = headers.get("sec-fetch-site")
            self.access.check_content(headers.get("content-type", ""), site)
        # The page itself is no secret; what it asks is.
        if request.url.path.lower().startswith(("/v1/", "/kgan/", "/monitoring/")):
            self.access.check_token(headers.get("authorization"))
