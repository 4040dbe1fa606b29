"""The error for requests that a server refused."""


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
