"""A server of one line a connection, run by several processes; it imports no TensorFlow.

    python -m tests.serving.small_worker COUNT GRACE

It prints its port when all answer. Asked `who` it tells its process, whether it took another's
place and its configuration; `reload X` gives everybody the configuration X; `die` ends it.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading

from kgan.serving.errors import ServingError
from kgan.serving.workers import Channel, Place, Supervisor


def work(channel: Channel, argument: str) -> None:
    if argument == "mistaken":
        channel.failed(True, "what the caller did wrong")
        sys.exit(1)
    state = {"config": (channel.config or b"").decode()}
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def apply(config: bytes) -> None:
        if config.startswith(b"bad"):
            raise ServingError("INVALID_ARGUMENT", f"{config.decode()} is no configuration")
        state["config"] = config.decode()

    def answer(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            asked, _, rest = client.recv(1000).decode().partition(" ")
            if asked == "die":
                os._exit(3)
            if asked == "reload":
                try:
                    channel.reload(rest.encode())
                except ServingError as error:
                    client.sendall(f"{error.code}: {error.message}".encode())
                else:
                    client.sendall(b"taken")
            else:
                client.sendall(json.dumps([os.getpid(), channel.again, state["config"]]).encode())

    channel.listen(apply)
    place = channel.place
    with socket.create_server((place.host, place.port), reuse_port=True) as listening:
        channel.ready("told")
        listening.settimeout(0.05)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    count, argument = int(sys.argv[1]), sys.argv[2]
    supervisor = Supervisor(
        work, argument, count=count, place=Place("127.0.0.1", 0, None), grace=5.0
    )
    supervisor.run(lambda place, told: print(place.port, told, flush=True))
    print("stopped")
