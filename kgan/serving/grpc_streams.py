"""gRPC calls that go on until the client ends them: health's Watch, and reflection."""

import asyncio
from typing import Any, cast

import grpc


class Streams(grpc.aio.ServerInterceptor):
    """Keeps streams from taking all places for requests, and from holding up the server's end.

    Args:
        limit: Most streams at a time; a further one gets RESOURCE_EXHAUSTED.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._open: set[asyncio.Task] = set()
        self._ending = False

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Passes a call on; counts it where it is a stream."""
        handler = await continuation(details)
        if handler is None or not handler.response_streaming:
            return handler
        answer = handler.stream_stream or handler.unary_stream

        async def counted(asked, context):
            if len(self._open) >= self.limit:
                await context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"{self.limit} streams are open already; end one, or try again later.",
                )
            task = cast(asyncio.Task, asyncio.current_task())
            self._open.add(task)
            try:
                async for reply in answer(asked, context):
                    yield reply
            except asyncio.CancelledError:
                if not self._ending:
                    raise
                # Cancellation alone tells the client nothing, and gRPC would go on waiting.
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops.")
            finally:
                self._open.discard(task)

        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return make(counted, handler.request_deserializer, handler.response_serializer)

    def end(self) -> None:
        """Ends every open stream."""
        self._ending = True
        for task in self._open:
            task.cancel()
