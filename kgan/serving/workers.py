"""Several processes that answer on the same ports, and the one that starts and ends them.

The kernel shares connections out (SO_REUSEPORT). Each process has models, a queue and limits of its
own; counters lie in files that all of them read, so each tells the sum. TensorFlow is not imported
by the process that watches.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

from kgan.serving.errors import ServingError

log = logging.getLogger("kgan.serving")

METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The environment's variable by which prometheus_client keeps counters in files."""

_LONGEST_PAUSE = 30.0
# One that ran for less failed at once, and would again.
_SHORT = 10.0
_NO_ANSWER = 5.0


@dataclass(frozen=True)
class Place:
    """Where all of them listen.

    Attributes:
        host: The address.
        port: Of REST and the page.
        grpc_port: Of gRPC; `None` for no gRPC.
    """

    host: str
    port: int
    grpc_port: int | None


class Channel:
    """A worker's line to the process that watches.

    Args:
        line: The worker's end.
        place: Where to listen.
        config: The ModelServerConfig that a client sent before this worker was started, if any.
        again: Whether another worker ended before, in whose place this one is.
    """

    def __init__(self, line: Any, place: Place, config: bytes | None, again: bool):
        self.place = place
        self.config = config
        self.again = again
        self._line = line
        self._sending = threading.Lock()
        self._answer: deque[tuple[str, str]] = deque()
        self._answered = threading.Semaphore(0)
        self._asking = threading.Lock()

    def ready(self, told: Any) -> None:
        """Requests are answered; `told` is what is announced."""
        self._send("ready", told)

    def failed(self, mistake: bool, message: str) -> None:
        """The worker cannot start, by the caller's mistake or by a fault."""
        self._send("failed", (mistake, message))

    def reload(self, config: bytes) -> None:
        """Has every worker take a ModelServerConfig.

        Raises:
            ServingError: That of the first worker that refuses it.
        """
        with self._asking:
            self._send("reload", config)
            self._answered.acquire()
            code, message = self._answer.popleft()
        if code:
            raise ServingError(code, message)

    def listen(self, apply: Callable[[bytes], None]) -> None:
        """Takes what the process that watches says, in a thread; ends where that process did.

        Args:
            apply: Takes a ModelServerConfig, or raises `ServingError`.
        """
        threading.Thread(target=self._listen, args=(apply,), daemon=True).start()

    def _listen(self, apply: Callable[[bytes], None]) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                kind, content = self._line.recv()
                if kind == "apply":
                    self._send("applied", _outcome(apply, content))
                else:
                    self._answer.append(content)
                    self._answered.release()
        os.kill(os.getpid(), signal.SIGTERM)

    def _send(self, kind: str, content: Any) -> None:
        with self._sending:
            self._line.send((kind, content))


def _outcome(apply: Callable[[bytes], None], config: bytes) -> tuple[str, str]:
    try:
        apply(config)
    except ServingError as error:
        return error.code, error.message
    except Exception as error:
        log.exception("a configuration could not be taken")
        return "INTERNAL", f"{type(error).__name__}: {error}"
    return "", ""


@dataclass(eq=False)
class _Worker:
    process: Any
    line: Any
    config: bytes | None
    since: float = field(default_factory=time.monotonic)
    ready: bool = False


class Supervisor:
    """Starts workers, starts those again that end on their own, and ends them together.

    Args:
        work: What a worker does: a function of a module's top level. It gets the `Channel` and
            `argument`, says `ready` and returns after SIGTERM.
        argument: Something that can be pickled.
        count: How many workers.
        place: Where they listen; ports of 0 are chosen.
        grace: Seconds that requests in flight get at the end.
    """

    def __init__(
        self,
        work: Callable[[Channel, Any], None],
        argument: Any,
        *,
        count: int,
        place: Place,
        grace: float,
    ):
        self._work = work
        self._argument = argument
        self._count = count
        self._wanted = place
        self._grace = grace
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._starts: deque[float] = deque()
        self._pause = 0.0
        self._config: bytes | None = None
        # Configurations on their way: who asked, what, and who has not taken it yet.
        self._asked: deque[tuple[_Worker | None, bytes, list[_Worker]]] = deque()
        self._announced = False

    def run(self, announce: Callable[[Place, Any], None]) -> None:
        """Works until SIGTERM or SIGINT.

        Args:
            announce: Called with the place, and what a worker told, when all answer.

        Raises:
            ValueError: Where a worker cannot start by the caller's mistake.
            RuntimeError: Where it cannot by a fault.
        """
        with reserved(self._wanted) as self.place, _environment(self._count), _signals() as stop:
            try:
                # Alone, so that a mistake is told once.
                self._start()
                while stop not in (said := self._wait(stop)):
                    for worker in list(self._workers):
                        if worker.line in said:
                            self._hear(worker, announce)
                        # What it said before it ended was heard.
                        if worker.process.sentinel in said and worker in self._workers:
                            self._ended(worker)
                    while self._starts and self._starts[0] <= time.monotonic():
                        self._starts.popleft()
                        self._start(again=True)
            finally:
                self._stop()

    def _wait(self, stop: int) -> list[Any]:
        objects = [stop]
        for worker in self._workers:
            objects += [worker.line, worker.process.sentinel]
        left = max(0.0, self._starts[0] - time.monotonic()) if self._starts else None
        return connection.wait(objects, left)

    def _start(self, *, again: bool = False) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_begin,
            args=(self._work, self._argument, theirs, self.place, self._config, again),
            daemon=True,
        )
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours, self._config))

    def _hear(self, worker: _Worker, announce: Callable[[Place, Any], None]) -> None:
        try:
            kind, content = worker.line.recv()
        except (EOFError, OSError):
            self._ended(worker)
            return
        if kind == "ready":
            worker.ready = True
            for _, _, left in self._asked:
                left.append(worker)
            if len(self._workers) + len(self._starts) < self._count:
                for _ in range(1, self._count):
                    self._start()
            elif not self._announced and all(one.ready for one in self._workers):
                self._announced = True
                announce(self.place, content)
            if worker.config != self._config:
                # It came while this one was started.
                self._spread(None, self._config or b"", [worker])
        elif kind == "failed" and not self._announced:
            mistake, message = content
            raise ValueError(message) if mistake else RuntimeError(message)
        elif kind == "failed":
            log.error("a worker cannot start: %s", content[1])
        elif kind == "reload":
            # The one that was asked finds what is wrong first.
            others = [one for one in self._workers if one.ready and one is not worker]
            self._spread(worker, content, [worker, *others])
        elif kind == "applied":
            self._applied(worker, *content)

    def _spread(self, asker: _Worker | None, config: bytes, left: list[_Worker]) -> None:
        """Begins to tell workers of a configuration, when those before it have come through."""
        self._asked.append((asker, config, left))
        if len(self._asked) == 1:
            self._go_on()

    def _go_on(self) -> None:
        """Tells the next worker, and who asked when all have it."""
        while self._asked:
            _, config, left = self._asked[0]
            if left:
                with contextlib.suppress(OSError):
                    left[0].line.send(("apply", config))
                return
            self._config = config
            self._close("", "")

    def _applied(self, worker: _Worker, code: str, message: str) -> None:
        self._asked[0][2].remove(worker)
        if code:
            self._close(code, message)
        self._go_on()

    def _close(self, code: str, message: str) -> None:
        asker, _, _ = self._asked.popleft()
        if asker is not None:
            with contextlib.suppress(OSError):
                asker.line.send(("answer", (code, message)))

    def _ended(self, worker: _Worker) -> None:
        worker.process.join(_NO_ANSWER)
        code = worker.process.exitcode
        if not self._announced:
            raise RuntimeError(f"a worker ended while it started, with the code {code}.")
        self._workers.remove(worker)
        worker.line.close()
        _forget_gauges(worker.process.pid)
        lived = time.monotonic() - worker.since
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause + 1) if lived < _SHORT else 0.0
        log.error("worker %d ended with the code %s; another is started", worker.process.pid, code)
        self._starts.append(time.monotonic() + self._pause)
        waited_for = bool(self._asked) and self._asked[0][2][:1] == [worker]
        for _, _, left in self._asked:
            if worker in left:
                left.remove(worker)
        if waited_for:
            self._go_on()

    def _stop(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        end = time.monotonic() + self._grace + _NO_ANSWER
        for worker in self._workers:
            worker.process.join(max(0.0, end - time.monotonic()))
            if worker.process.is_alive():
                log.error("worker %d does not end and is killed", worker.process.pid)
                worker.process.kill()
                worker.process.join()


def _begin(work, argument, line, place: Place, config: bytes | None, again: bool) -> None:
    """What a worker's process runs."""
    # Ctrl-C reaches every process of a terminal; the one that watches passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work(Channel(line, place, config, again), argument)


@contextlib.contextmanager
def reserved(place: Place) -> Iterator[Place]:
    """Keeps the ports for processes of this user that share them.

    Raises:
        OSError: Where somebody listens there already.
        ValueError: Where the system cannot share ports.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("workers must be 1 on this system, which cannot share a port.")
    with contextlib.ExitStack() as stack:
        ports = [
            None if port is None else _reserve(stack, place.host, port)
            for port in (place.port, place.grpc_port)
        ]
        assert ports[0] is not None
        yield Place(place.host, ports[0], ports[1])


def _reserve(stack: contextlib.ExitStack, host: str, port: int) -> int:
    try:
        # Without sharing, to find whoever listens already: half of the requests would be theirs.
        with socket.create_server((host, port)) as probe:
            port = probe.getsockname()[1]
    except OSError as error:
        raise OSError(f"port {port} on {host} cannot be used: {error.strerror}") from None
    held = stack.enter_context(socket.socket())
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((host, port))
    return port


@contextlib.contextmanager
def _environment(count: int) -> Iterator[None]:
    """What workers inherit: a folder for counters, and their share of the machine."""
    with tempfile.TemporaryDirectory(prefix="kgan-metrics-") as folder:
        before = dict(os.environ)
        os.environ[METRICS] = folder
        share = max(1, (os.cpu_count() or 1) // count)
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(share))
        # The first one would take all of a GPU's memory.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """A file descriptor that can be read from after SIGTERM or SIGINT."""
    read, write = os.pipe()
    kept = {
        number: signal.signal(number, lambda *_: os.write(write, b"."))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield read
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
        os.close(read)
        os.close(write)


def _forget_gauges(process: int) -> None:
    """What was true of a process while it lived; what it counted stays counted."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(process)
