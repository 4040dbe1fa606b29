"""Two workers on this machine, as `TF_CONFIG` describes them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tests.conftest import ROOT


@contextlib.contextmanager
def start_workers(
    command: Sequence, own: Sequence[Sequence] = ((), ()), *, cwd=ROOT
) -> Iterator[list[subprocess.Popen]]:
    """Starts `python COMMAND OWN` once for each worker; kills what is left at the end."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(len(own))]
    processes = []
    try:
        for index, arguments in enumerate(own):
            task = {"type": "worker", "index": index}
            config = json.dumps({"cluster": {"worker": addresses}, "task": task})
            processes.append(
                subprocess.Popen(
                    [sys.executable, *map(str, [*command, *arguments])],
                    cwd=cwd,
                    env={**os.environ, "TF_CONFIG": config, "PYTHONPATH": str(ROOT)},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
