"""A server in a thread of its own, for clients that wait for its answers."""

import asyncio
import contextlib
import threading
from concurrent.futures import Future

from kgan.serving import server


@contextlib.contextmanager
def running(repository, *, limits=None, **options):
    """Serves what the repository has loaded: the ports of REST and gRPC.

    What stops the server from starting is raised here. The wait is long: it finds a server that
    hangs, not one on a machine with much else to do.
    """
    started: Future = Future()

    async def body():
        stop = asyncio.Event()
        try:
            accepted = limits or server.Limits(poll=0)
            async with server.running(repository, accepted, **options) as ports:
                started.set_result((ports, asyncio.get_running_loop(), stop))
                await stop.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=asyncio.run, args=(body(),))
    thread.start()
    ports, loop, stop = started.result(timeout=300)
    try:
        yield ports
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
    assert not thread.is_alive()
