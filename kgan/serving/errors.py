"""One error type; the names are gRPC's status codes, as in TensorFlow Serving."""

HTTP_STATUS = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "UNAUTHENTICATED": 401,
}
"""The status of a REST reply by the name of the code; 500 for any other."""


class ServingError(Exception):
    """A request that is answered with an error.

    Args:
        code: Name of a gRPC status code, such as "INVALID_ARGUMENT".
        message: What the client reads.
        http_status: Where REST has a finer one than `HTTP_STATUS[code]`.
    """

    def __init__(self, code: str, message: str, *, http_status: int | None = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or HTTP_STATUS.get(code, 500)


def invalid(message: str) -> ServingError:
    """The error for a request that cannot be answered as it stands."""
    return ServingError("INVALID_ARGUMENT", message)
