"""Joins waiting requests, so that one call into TensorFlow answers several."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kgan.serving.errors import ServingError
from kgan.serving.signature import Arrays, Signature, batch_sizes


class _Request:
    def __init__(self, inputs: Arrays, rows: int | None):
        self.inputs = inputs
        # Without rows it is answered alone and as it came.
        self.alone = not rows
        self.rows = rows or 0
        self.since = time.monotonic()
        self.reply: asyncio.Future[Arrays] = asyncio.get_running_loop().create_future()


class _Line:
    """The requests waiting for one signature, all of one shape but for the rows."""

    def __init__(self):
        self.waiting: deque[_Request] = deque()
        self.full = asyncio.Event()

    def rows(self) -> int:
        return sum(request.rows for request in self.waiting)


class Batcher:
    """Queues requests, joins those of one signature, and calls TensorFlow in threads.

    A request goes to TensorFlow when a thread is free and it has waited for `timeout`, or sooner
    where `max_batch` rows are there. While all threads are busy more requests join.

    Args:
        max_batch: Largest number of rows in a call; 1 switches joining off.
        timeout: Time that a request waits for others, in seconds.
        queue_size: Largest number of waiting requests; further ones are refused.
        threads: Number of calls into TensorFlow at a time.
        observe: Function called with the number of requests and of rows in each call.
        observe_waiting: Function called with the number of waiting requests when it changes.
    """

    def __init__(
        self,
        *,
        max_batch: int = 64,
        timeout: float = 0.0,
        queue_size: int = 256,
        threads: int = 2,
        observe: Callable[[int, int], None] | None = None,
        observe_waiting: Callable[[int], None] | None = None,
    ):
        self.max_batch = max_batch
        self.timeout = timeout
        self.queue_size = queue_size
        self.waiting = 0
        self._sizes = batch_sizes(max_batch) if max_batch > 1 else ()
        self._observe = observe or (lambda requests, rows: None)
        self._observe_waiting = observe_waiting or (lambda requests: None)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="kgan-serving")
        self._free = asyncio.Semaphore(threads)
        self._lines: dict[tuple, _Line] = {}
        self._tasks: set[asyncio.Task] = set()

    async def submit(self, signature: Signature, inputs: Arrays, *, within: float) -> Arrays:
        """The outputs of a request.

        Args:
            signature: The signature to call.
            inputs: Input arrays by name.
            within: Time in seconds after which the client no longer waits.

        Raises:
            ServingError: INVALID_ARGUMENT, RESOURCE_EXHAUSTED (the queue is full),
                DEADLINE_EXCEEDED, or what TensorFlow found.
        """
        request = _Request(inputs, signature.check(inputs))
        if self.waiting >= self.queue_size:
            raise ServingError(
                "RESOURCE_EXHAUSTED", f"{self.waiting} requests wait already; try again later."
            )
        line = self._join(signature, request)
        try:
            return await asyncio.wait_for(request.reply, within)
        except TimeoutError:
            raise ServingError("DEADLINE_EXCEEDED", f"no answer within {within:g} s.") from None
        finally:
            if request in line.waiting:
                line.waiting.remove(request)
                self._count(-1)

    def _join(self, signature: Signature, request: _Request) -> _Line:
        # By shape too: a free dimension other than the first may differ between requests.
        shapes = tuple((name, array.shape[1:]) for name, array in sorted(request.inputs.items()))
        alone = request.alone or self.max_batch == 1
        key = (signature, shapes, request if alone else None)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line()
            self._start(self._serve(key, line, signature))
        self._count(1)
        line.waiting.append(request)
        if alone or line.rows() >= self.max_batch:
            line.full.set()
        return line

    def _count(self, more: int) -> None:
        self.waiting += more
        self._observe_waiting(self.waiting)

    def _start(self, coroutine) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, key: tuple, line: _Line, signature: Signature) -> None:
        """Forms batches until nobody waits in the line."""
        while line.waiting:
            left = self.timeout - (time.monotonic() - line.waiting[0].since)
            if left > 0 and not line.full.is_set():
                await _wait(line.full, left)
            await self._free.acquire()
            batch = self._take(line)
            if batch:
                self._start(self._answer(signature, batch))
            else:
                self._free.release()
        del self._lines[key]

    def _take(self, line: _Line) -> list[_Request]:
        batch: list[_Request] = []
        rows = 0
        while line.waiting and (not batch or rows + line.waiting[0].rows <= self.max_batch):
            batch.append(line.waiting.popleft())
            rows += batch[-1].rows
        self._count(-len(batch))
        if line.rows() < self.max_batch:
            line.full.clear()
        return batch

    async def _answer(self, signature: Signature, batch: list[_Request]) -> None:
        self._observe(len(batch), sum(request.rows for request in batch))
        loop = asyncio.get_running_loop()
        try:
            outcomes = await loop.run_in_executor(self._pool, self._run, signature, batch)
        finally:
            self._free.release()
        for request, outcome in zip(batch, outcomes, strict=True):
            if request.reply.done():
                continue
            if isinstance(outcome, Exception):
                request.reply.set_exception(outcome)
            else:
                request.reply.set_result(outcome)

    def _run(self, signature: Signature, batch: list[_Request]) -> list[Arrays | Exception]:
        try:
            if len(batch) == 1:
                return [signature.run(batch[0].inputs, () if batch[0].alone else self._sizes)]
            joined = {
                name: np.concatenate([request.inputs[name] for request in batch])
                for name in signature.inputs
            }
            return list(_split(signature.run(joined, self._sizes), batch))
        except Exception as error:
            if len(batch) == 1:
                return [_as_serving_error(error)]
            # One request's values must not fail the others that it was joined with.
            return [self._run(signature, [request])[0] for request in batch]

    async def close(self) -> None:
        """Answers what waits, and ends the threads."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown()


def _split(outputs: Arrays, batch: list[_Request]):
    start = 0
    for request in batch:
        stop = start + request.rows
        yield {name: array[start:stop] for name, array in outputs.items()}
        start = stop


def _as_serving_error(error: Exception) -> ServingError:
    if isinstance(error, ServingError):
        return error
    return ServingError("INTERNAL", f"{type(error).__name__}: {error}")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
