"""Latency and throughput of `kgan serve`, over REST and gRPC, with batching and without.

    python benchmarks/serving.py load saved_models/digits          # the table
    python benchmarks/serving.py memory saved_models/digits        # memory over 10,000 requests
    python benchmarks/serving.py aborted saved_models/digits       # and 10,000 broken connections
    python benchmarks/serving.py overload saved_models/digits      # a queue too short
    python benchmarks/serving.py swap saved_models/digits          # new versions under load
    python benchmarks/serving.py first saved_models/digits --requests 5    # five starts

Each client asks for one sample, and for the next one when it has the answer (a closed loop).
Clients and server share the machine's cores, so a machine of its own would serve more.
"""

import argparse
import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from load import Rest, Target, client_of, flood

import kgan.export

SIGNATURE = "generate"
APIS = ("REST", "gRPC")


class Server:
    """`kgan serve` as a process of its own."""

    def __init__(self, folder: Path, *options: str):
        code = "import sys; from kgan.cli import main; sys.exit(main(sys.argv[1:]))"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", code, "serve", str(folder)),
                *("--port", "0", "--grpc-port", "0", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        self.port = int(re.search(r"page .*:(\d+)/", said)[1])
        self.grpc_port = int(re.search(r"gRPC .*:(\d+)", said)[1])

    def memory(self) -> float:
        """Resident megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def target(self, folder: Path, api: str) -> Target:
        """One sample of the folder's model."""
        url = {
            "REST": f"http://127.0.0.1:{self.port}",
            "gRPC": f"grpc://127.0.0.1:{self.grpc_port}",
        }
        return Target(url[api], folder.name, inputs_of(folder), SIGNATURE)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(60)


def inputs_of(folder: Path) -> dict:
    manifest = kgan.export.manifest.read(kgan.export.versions.newest(folder))
    return {"seeds": [1]} | ({"labels": [3]} if manifest["num_classes"] else {})


def load(args):
    print("| model | batching | API | clients | requests/s | p50 ms | p99 ms | failed | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for batching, options in (("on", args.options), ("off", ("--max-batch", "1"))):
        if batching not in args.batching:
            continue
        with Server(args.folder, *options) as server:
            for api in args.apis:
                for clients in args.clients:
                    target = server.target(args.folder, api)
                    found = asyncio.run(flood(target, clients=clients, seconds=args.seconds))
                    print(
                        f"| {args.folder.name} | {batching} | {api} | {clients} | "
                        f"{found.rate:.0f} | {found.milliseconds(50):.1f} | "
                        f"{found.milliseconds(99):.1f} | {found.failed} | {server.memory():.0f} |",
                        flush=True,
                    )


def memory(args):
    with Server(args.folder, *args.options) as server:
        marks = {}

        def watch(count):
            if count % (args.requests // 10) == 0 or count == 1:
                marks[count] = server.memory()

        target = server.target(args.folder, args.apis[0])
        found = asyncio.run(flood(target, clients=16, requests=args.requests, watch=watch))
        print(f"{dict(found.codes)} in {found.elapsed:.1f} s; resident MB after so many requests:")
        print(", ".join(f"{count:,}: {size:.1f}" for count, size in marks.items()))


def aborted(args):
    """Connections that end without an answer: in the head, in the body, and after the request."""
    with Server(args.folder, *args.options) as server:
        target = server.target(args.folder, "REST")
        whole = Rest(target).request
        head = whole.index(b"\r\n\r\n") + 4

        async def one(number):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(whole[: (head // 2, head + 5, len(whole))[number % 3]])
            await writer.drain()
            if number % 2:
                await asyncio.sleep(0.005)
            writer.transport.abort()

        async def body():
            sizes = {}
            for start in range(0, args.requests, 16):
                if start % (args.requests // 10 // 16 * 16) == 0:
                    sizes[start] = server.memory()
                await asyncio.gather(*(one(start + n) for n in range(16)))
            await asyncio.sleep(1)
            sizes[args.requests] = server.memory()
            found = await flood(target, clients=8, requests=200)
            return sizes, dict(found.codes)

        sizes, codes = asyncio.run(body())
        print(", ".join(f"{count:,}: {size:.1f} MB" for count, size in sizes.items()))
        print("and then", codes)


def overload(args):
    with Server(args.folder, "--queue-size", "16", "--max-batch", "4") as server:
        for api in args.apis:
            for clients in (8, 64):
                target = server.target(args.folder, api)
                found = asyncio.run(flood(target, clients=clients, seconds=args.seconds))
                print(
                    f"{api}, {clients} clients, queue of 16: {dict(found.codes)} in "
                    f"{found.elapsed:.1f} s"
                )


def swap(args):
    """The longest times of 16 clients' requests while versions come, and while none does."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / args.folder.name
        source = kgan.export.versions.newest(args.folder)
        shutil.copytree(source, folder / "1")
        with Server(folder, "--poll", "0.2", *args.options) as server:
            for api in args.apis:

                async def body(api=api):
                    async def come():
                        for _ in range(3):
                            await asyncio.sleep(args.seconds / 3)
                            new = Path(place) / "new"
                            shutil.copytree(source, new)
                            await asyncio.to_thread(kgan.export.versions.add, folder, new)

                    target = server.target(args.folder, api)
                    quiet = await flood(target, clients=16, seconds=args.seconds)
                    coming = asyncio.create_task(come())
                    found = await flood(target, clients=16, seconds=2 * args.seconds)
                    await coming
                    return quiet, found

                for name, found in zip(("no", "three"), asyncio.run(body()), strict=True):
                    print(
                        f"{api}, {name} swaps: {found.rate:.0f} requests/s, p50 "
                        f"{found.milliseconds(50):.1f} ms, p99 {found.milliseconds(99):.1f} ms, "
                        f"longest {1000 * max(found.seconds):.0f} ms, failed {found.failed}, "
                        f"{server.memory():.0f} MB"
                    )


def first(args):
    """The first request after the start against later ones, each on a connection that is open.

    A machine that slept a while answers the next request later, the hundredth as the first. So the
    first is also held against later ones that came after the same silence.
    """
    silence = 0.5
    for api in args.apis:
        ratios, silent = [], []
        for _ in range(args.requests):
            with Server(args.folder, *args.options) as server:

                async def body(server=server, api=api):
                    connection = client_of(server.target(args.folder, api))
                    await connection.open()

                    async def ask(after=0.0):
                        await asyncio.sleep(after)
                        begin = time.perf_counter()
                        await connection.ask()
                        return 1000 * (time.perf_counter() - begin)

                    times = [await ask(silence)] + [await ask() for _ in range(19)]
                    rested = [await ask(silence) for _ in range(7)]
                    await connection.close()
                    return times, rested

                times, rested = asyncio.run(body())
                ratios.append(times[0] / statistics.median(times[9:]))
                silent.append(times[0] / statistics.median(rested))
                print(api, "ms:", ", ".join(f"{one:.1f}" for one in times[:10]), end="; ")
                print("after silence:", ", ".join(f"{one:.1f}" for one in rested), flush=True)
        print(
            f"{api}: the first takes {statistics.median(ratios):.2f} times the tenth and later, "
            f"{statistics.median(silent):.2f} times later ones after {silence} s of silence"
        )


WHAT = {
    "load": load,
    "memory": memory,
    "aborted": aborted,
    "overload": overload,
    "swap": swap,
    "first": first,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=tuple(WHAT))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--apis", nargs="+", choices=APIS, default=list(APIS))
    parser.add_argument("--batching", nargs="+", choices=("on", "off"), default=["on", "off"])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=(), help="for kgan serve")
    args = parser.parse_args()
    WHAT[args.what](args)


if __name__ == "__main__":
    main()
