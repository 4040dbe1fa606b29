"""One process that answers REST, gRPC and the page; started, reloaded and stopped in order."""

import asyncio
import contextlib
import dataclasses
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from kgan.serving import grpc_service, playground, rehearsal
from kgan.serving.access import Access
from kgan.serving.batching import Batcher
from kgan.serving.connections import ConnectionLimits, protocol
from kgan.serving.guard import Guarded
from kgan.serving.handshakes import HandshakeSocket
from kgan.serving.measures import Measures, Uncounted
from kgan.serving.repository import Repository
from kgan.serving.rest import Rest
from kgan.serving.service import Service

try:
    import resource
except ImportError:  # Windows has no such limits.
    resource = None  # type: ignore[assignment]

log = logging.getLogger("kgan.serving")


@dataclass(frozen=True)
class Limits:
    """What a server accepts; times in seconds, sizes in bytes."""

    max_batch: int = 64
    batch_timeout: float = 0.0
    threads: int = 2
    queue_size: int = 256
    max_rows: int = 1024
    max_body: int = 16 * 2**20
    max_reply: int = 128 * 2**20
    timeout: float = 30.0
    poll: float = 2.0
    grace: float = 30.0
    max_connections: int = 1000
    max_per_address: int = 512


@dataclass
class Application:
    """The web application and what lies behind it; made inside an event loop."""

    service: Service
    web: Guarded
    rest: Rest
    _tasks: list[asyncio.Task] = field(default_factory=list)

    async def close(self) -> None:
        """Answers what waits, and ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.service.batcher.close()


def application(
    repository: Repository,
    limits: Limits,
    *,
    fool: playground.AttackedClassifier | None = None,
    access: Access | None = None,
    measures: Measures | None = None,
) -> Application:
    """An application that polls its models every `limits.poll` seconds (not for 0)."""
    measures = measures or Measures()
    batcher = Batcher(
        max_batch=limits.max_batch,
        timeout=limits.batch_timeout,
        queue_size=limits.queue_size,
        threads=limits.threads,
        max_reply=limits.max_reply,
        observe=measures.observe_batch,
        observe_waiting=measures.observe_waiting,
    )
    service = Service(
        repository,
        batcher,
        measures,
        timeout=limits.timeout,
        max_rows=limits.max_rows,
        max_bytes=limits.max_body,
    )
    rest = Rest(service, max_body=limits.max_body)
    routes = [
        *playground.Playground(service, fool=fool, max_body=limits.max_body).routes(),
        *rest.routes(),
    ]
    made = Application(service, Guarded(Starlette(routes=routes), access or Access()), rest)
    if limits.poll:
        made._tasks.append(asyncio.create_task(_poll(repository, limits.poll, measures)))
    return made


@contextlib.asynccontextmanager
async def running(
    repository: Repository,
    limits: Limits,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    grpc_port: int | None = 0,
    fool: playground.AttackedClassifier | None = None,
    access: Access | None = None,
    certificate: tuple[Path, Path] | None = None,
    reload: Callable[[Any], None] | None = None,
    shared: bool = False,
    measures: Measures | None = None,
    rehearse: bool = False,
) -> AsyncIterator[tuple[int, int | None]]:
    """Serves while the block runs; yields the ports. Leaving it answers what is in flight.

    Args:
        repository: The models.
        limits: What is accepted.
        host: The address to listen on.
        port: Of REST and the page; 0 for any that is free.
        grpc_port: Of gRPC; `None` for no gRPC.
        fool: A classifier for the page.
        access: Who may ask; by default those who ask for the address, without a token.
        certificate: The files of a certificate and of its key, for TLS.
        reload: What takes a ModelServerConfig while the server runs.
        shared: Whether other processes of this user listen on the same ports.
        measures: The counters; new ones by default.
        rehearse: Whether the server asks itself first (`rehearsal.py`).
    """
    listening = _listen(host, port, shared)
    access = access or Access.of(host)
    app = application(repository, limits, fool=fool, access=access, measures=measures)
    rpc, rpc_port = None, None
    try:
        if grpc_port is not None:
            rpc, rpc_port = await grpc_service.start(
                app.service,
                host,
                grpc_port,
                max_body=limits.max_body,
                access=access,
                certificate=certificate,
                max_requests=limits.max_connections,
                reload=reload,
                shared=shared,
            )
        secured = None
        if certificate is not None:
            listening = HandshakeSocket(listening, limits.max_connections)
            secured = listening.ended
        web = _Server(
            uvicorn.Config(
                app.web,
                log_level="warning",
                access_log=False,
                lifespan="off",
                http=protocol(
                    ConnectionLimits(
                        limits.max_connections,
                        limits.max_per_address,
                        min(limits.timeout, 10.0),
                    ),
                    secured,
                ),
                ws="none",
                ssl_certfile=certificate and certificate[0],
                ssl_keyfile=certificate and certificate[1],
                timeout_graceful_shutdown=int(limits.grace),
            )
        )
        if rehearse:
            short = dataclasses.replace(limits, poll=0)
            rehearsed = application(repository, short, measures=Uncounted())
            await rehearsal.of_rest(rehearsed.web, app.rest, app.service)
            if rpc is not None:
                await rehearsal.of_grpc(rehearsed.service, max_body=limits.max_body)
            await rehearsed.close()
            # What that made stays as long as the server; clients do not wait while it is looked at.
            gc.collect()
            gc.freeze()
        serving = asyncio.create_task(web.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1], rpc_port
        finally:
            web.should_exit = True
            stops: list[Any] = [serving]
            if rpc is not None:
                stops.append(rpc.stop(limits.grace))
            await asyncio.gather(*stops)
    finally:
        listening.close()
        await app.close()


def serve(
    repository: Repository,
    limits: Limits,
    *,
    announce: Callable[[int, int | None], None],
    **options,
) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        repository: The models; polled once already.
        limits: What is accepted.
        announce: Called with the two ports when requests are answered.
        options: Those of `running`.
    """

    allow_files(4 * limits.max_connections)

    async def body() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with running(repository, limits, **options) as ports:
            announce(*ports)
            await stop.wait()
            log.info("stopping: requests in flight are answered")

    asyncio.run(body())


def allow_files(count: int) -> None:
    """Lets this process hold so many files open, as far as the system allows it to.

    A connection is a file, and many systems begin with 1,024 of them.
    """
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """Leaves the signals to `serve`, which has gRPC to stop too."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


def _listen(host: str, port: int, shared: bool) -> socket.socket:
    try:
        listening = socket.create_server((host, port), backlog=512, reuse_port=shared)
    except OSError as error:
        raise OSError(f"port {port} on {host} cannot be used: {error.strerror}") from None
    # asyncio does so only for sockets that name TCP as their protocol. Otherwise each answer waits
    # 40 ms for the client to acknowledge its head before its body is sent.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


async def _poll(repository: Repository, seconds: float, measures: Measures) -> None:
    while True:
        measures.observe_versions(repository)
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(repository.poll)
        except Exception:
            log.exception("looking for new versions failed; trying again")
