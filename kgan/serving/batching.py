"""Joins waiting requests, so that one call into TensorFlow answers several."""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import numpy as np

from kgan.serving.errors import ServingError
from kgan.serving.signature import Arrays, Signature, batch_sizes, bytes_of, check_size


class _Request:
    def __init__(self, inputs: Arrays, rows: int | None):
        self.inputs = inputs
        # Without rows it is answered alone and as it came.
        self.alone = not rows
        self.rows = rows or 0
        self.since = time.monotonic()
        self.reply: asyncio.Future[Arrays] = asyncio.get_running_loop().create_future()


class _Line:
    """The requests for one signature, all of one shape but for the rows.

    Attributes:
        waiting: Those that no call has taken yet.
        rows: Their rows.
        running: Calls into TensorFlow for requests of this line.
        changed: Set where it may be time for another call.
    """

    def __init__(self, signature: Signature, *, alone: bool):
        self.signature = signature
        self.alone = alone
        self.waiting: deque[_Request] = deque()
        self.rows = 0
        self.running = 0
        self.changed = asyncio.Event()

    def add(self, request: _Request) -> None:
        self.waiting.append(request)
        self.rows += request.rows

    def take(self, most: int) -> list[_Request]:
        """The first requests, of as many rows together, but one at least."""
        batch: list[_Request] = []
        rows = 0
        while self.waiting and (not batch or rows + self.waiting[0].rows <= most):
            batch.append(self.waiting.popleft())
            rows += batch[-1].rows
        self.rows -= rows
        return batch

    def remove(self, request: _Request) -> None:
        self.waiting.remove(request)
        self.rows -= request.rows
        self.changed.set()


class Batcher:
    """Queues requests, joins those of one signature, and calls TensorFlow in threads.

    A request goes to TensorFlow when a thread is free and no other call for its signature runs, or
    where `max_batch` rows are there. So requests gather while a call runs and the next call takes
    all of them: batches grow with the load, and where there is none nobody waits. (A second call
    at the same time would take the few that have come, and both would share the same processor.)

    A request of more than `max_batch` rows is answered in parts, each of which queues behind the
    requests that came meanwhile: small ones never wait for all of a large one.

    Args:
        max_batch: Largest number of rows in a call; 1 switches joining off.
        timeout: Time that a request waits for others although nothing runs, in seconds.
        queue_size: Largest number of waiting requests; further ones are refused.
        threads: Number of calls into TensorFlow at a time.
        max_reply: Most bytes in the arrays of an answer.
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
        max_reply: int = 128 * 2**20,
        observe: Callable[[int, int], None] | None = None,
        observe_waiting: Callable[[int], None] | None = None,
    ):
        self.max_batch = max_batch
        self.timeout = timeout
        self.queue_size = queue_size
        self.threads = threads
        self.max_reply = max_reply
        self.waiting = 0
        self._sizes = batch_sizes(max_batch) if max_batch > 1 else ()
        self._observe = observe or (lambda requests, rows: None)
        self._observe_waiting = observe_waiting or (lambda requests: None)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="kgan-serving")
        self._free = asyncio.Semaphore(threads)
        self._lines: dict[tuple, _Line] = {}
        self._tasks: set[asyncio.Task] = set()
        # What a call for a signature takes, in seconds; of versions that are gone nothing is kept.
        self._takes: WeakKeyDictionary[Signature, float] = WeakKeyDictionary()

    async def submit(self, signature: Signature, inputs: Arrays, *, within: float) -> Arrays:
        """The outputs of a request.

        Args:
            signature: The signature to call.
            inputs: Input arrays by name.
            within: Time in seconds after which the client no longer waits.

        Raises:
            ServingError: INVALID_ARGUMENT, RESOURCE_EXHAUSTED (the queue is full, or so long that
                the answer would come too late, or the answer too large), DEADLINE_EXCEEDED, or what
                TensorFlow found.
        """
        rows = signature.check(inputs)
        check_size(signature.least_bytes(rows), self.max_reply)
        if rows is None or rows <= self.max_batch or self.max_batch == 1:
            return await self._submit(signature, inputs, rows, within=within)
        end = time.monotonic() + within
        parts, held = [], 0
        for start in range(0, rows, self.max_batch):
            part = {name: array[start : start + self.max_batch] for name, array in inputs.items()}
            size = min(self.max_batch, rows - start)
            left = end - time.monotonic()
            parts.append(await self._submit(signature, part, size, within=left))
            held += bytes_of(parts[-1])
            check_size(held, self.max_reply)
        return await asyncio.to_thread(_joined, parts)

    async def _submit(
        self, signature: Signature, inputs: Arrays, rows: int | None, *, within: float
    ) -> Arrays:
        request = _Request(inputs, rows)
        if self.waiting >= self.queue_size:
            raise ServingError(
                "RESOURCE_EXHAUSTED", f"{self.waiting} requests wait already; try again later."
            )
        # Nobody is helped by an answer that comes too late, least of all those who wait behind.
        if self.waiting >= self.threads and (expected := self._expected(signature)) > within:
            raise ServingError(
                "RESOURCE_EXHAUSTED",
                f"{self.waiting} requests wait already, for about {expected:.3g} s, and the answer "
                f"is needed within {within:.3g} s; try again later.",
            )
        line = self._join(signature, request)
        try:
            return await asyncio.wait_for(request.reply, within)
        except TimeoutError:
            raise ServingError("DEADLINE_EXCEEDED", f"no answer within {within:g} s.") from None
        finally:
            if request in line.waiting:
                line.remove(request)
                self._count(-1)

    def _expected(self, signature: Signature) -> float:
        """About how long a new request would take, with what waits before it, in seconds."""
        takes = self._takes.get
        seconds = sum(
            takes(line.signature, 0.0) * (line.running + math.ceil(line.rows / self.max_batch))
            if not line.alone
            else takes(line.signature, 0.0)
            for line in self._lines.values()
        )
        return seconds / self.threads + takes(signature, 0.0)

    def _join(self, signature: Signature, request: _Request) -> _Line:
        # By shape too: a free dimension other than the first may differ between requests.
        shapes = tuple((name, array.shape[1:]) for name, array in sorted(request.inputs.items()))
        alone = request.alone or self.max_batch == 1
        key = (signature, shapes, request if alone else None)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(signature, alone=alone)
            self._start(self._serve(key, line))
        self._count(1)
        line.add(request)
        if line.rows >= self.max_batch:
            line.changed.set()
        return line

    def _count(self, more: int) -> None:
        self.waiting += more
        self._observe_waiting(self.waiting)

    def _start(self, coroutine) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, key: tuple, line: _Line) -> None:
        """Forms batches until nobody waits in the line and nothing runs for it."""
        while line.waiting or line.running:
            wait = self._patience(line)
            if wait is None or wait > 0:
                line.changed.clear()
                await _wait(line.changed, wait)
                continue
            await self._free.acquire()
            batch = line.take(self.max_batch)
            if batch:
                self._count(-len(batch))
                line.running += 1
                self._start(self._answer(line, batch))
            else:
                self._free.release()
        del self._lines[key]

    def _patience(self, line: _Line) -> float | None:
        """How long a line waits for its next call, in seconds; `None` until something changes."""
        if not line.waiting:
            return None
        if line.alone or line.rows >= self.max_batch:
            return 0.0
        if line.running:
            return None
        return max(0.0, self.timeout - (time.monotonic() - line.waiting[0].since))

    async def _answer(self, line: _Line, batch: list[_Request]) -> None:
        self._observe(len(batch), sum(request.rows for request in batch))
        loop = asyncio.get_running_loop()
        begin = time.monotonic()
        try:
            outcomes = await loop.run_in_executor(self._pool, self._run, line.signature, batch)
        finally:
            self._free.release()
            line.running -= 1
            line.changed.set()
        self._learn(line.signature, time.monotonic() - begin)
        for request, outcome in zip(batch, outcomes, strict=True):
            if request.reply.done():
                continue
            if isinstance(outcome, Exception):
                request.reply.set_exception(outcome)
            else:
                request.reply.set_result(outcome)

    def _learn(self, signature: Signature, seconds: float) -> None:
        # Down at once, up slowly: one slow call, such as the first, makes nobody be refused.
        before = self._takes.get(signature, 0.0)
        self._takes[signature] = min(seconds, before + 0.2 * (seconds - before))

    def _run(self, signature: Signature, batch: list[_Request]) -> list[Arrays | Exception]:
        try:
            limit = self.max_reply * len(batch)
            if len(batch) == 1:
                sizes = () if batch[0].alone else self._sizes
                return [signature.run(batch[0].inputs, sizes, limit=limit)]
            joined = {
                name: np.concatenate([request.inputs[name] for request in batch])
                for name in signature.inputs
            }
            outputs = signature.run(joined, self._sizes, limit=limit)
            answers = list(_split(outputs, batch))
            for answer in answers:
                check_size(bytes_of(answer), self.max_reply)
            return answers
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


def _joined(parts: list[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


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


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
