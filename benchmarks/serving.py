"""Latency and throughput of `kgan serve`, over REST and gRPC, with batching and without.

    python benchmarks/serving.py load saved_models/digits          # the table
    python benchmarks/serving.py memory saved_models/digits        # memory over 10,000 requests
    python benchmarks/serving.py overload saved_models/digits      # a queue too short

Each client asks for one sample, and for the next one when it has the answer (a closed loop).
Clients and server share the machine's cores, so a machine of its own would serve more.
"""

import argparse
import asyncio
import collections
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import kgan.export

SIGNATURE = "generate"


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

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(60)


class Rest:
    """One connection that is kept; the least of HTTP that a client needs."""

    def __init__(self, server: Server, name: str, inputs: dict):
        body = json.dumps({"signature_name": SIGNATURE, "inputs": inputs}).encode()
        head = f"POST /v1/models/{name}:predict HTTP/1.1\r\nHost: x\r\n"
        self.request = head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        self.port = server.port

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self) -> str:
        self.writer.write(self.request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head, re.I)[1])
        await self.reader.readexactly(length)
        return head[9:12].decode()

    async def close(self):
        self.writer.close()


class Grpc:
    """One channel with the official stub."""

    def __init__(self, server: Server, name: str, inputs: dict):
        import numpy as np
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        self.request = predict_pb2.PredictRequest(
            model_spec={"name": name, "signature_name": SIGNATURE},
            inputs={k: tf.make_tensor_proto(np.array(v, np.int64)) for k, v in inputs.items()},
        )
        self.port = server.grpc_port

    async def open(self):
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        options = [("grpc.use_local_subchannel_pool", 1)]
        self.error = grpc.aio.AioRpcError
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    async def ask(self) -> str:
        try:
            await self.stub.Predict(self.request)
        except self.error as error:
            return error.code().name
        return "200"

    async def close(self):
        await self.channel.close()


APIS = {"REST": Rest, "gRPC": Grpc}


async def flood(server, name, api, *, clients, inputs, seconds=None, requests=None, watch=None):
    """Latencies in seconds and the codes of the answers, after a few that do not count."""
    latencies: list[float] = []
    codes: collections.Counter = collections.Counter()
    connections = [APIS[api](server, name, inputs) for _ in range(clients)]
    begin = None

    def more() -> bool:
        if requests is not None:
            return sum(codes.values()) < requests
        return time.perf_counter() - begin < seconds

    async def client(connection):
        while more():
            start = time.perf_counter()
            codes[await connection.ask()] += 1
            latencies.append(time.perf_counter() - start)
            if watch is not None:
                watch(sum(codes.values()))

    for connection in connections:
        await connection.open()
    await asyncio.gather(*(connection.ask() for connection in connections))
    await asyncio.gather(*(connection.ask() for connection in connections))
    begin = time.perf_counter()
    await asyncio.gather(*map(client, connections))
    elapsed = time.perf_counter() - begin
    for connection in connections:
        await connection.close()
    return latencies, codes, elapsed


def inputs_of(folder: Path) -> dict:
    manifest = kgan.export.manifest.read(kgan.export.versions.newest(folder))
    return {"seeds": [1]} | ({"labels": [3]} if manifest["num_classes"] else {})


def load(args):
    inputs = inputs_of(args.folder)
    print("| model | batching | API | clients | requests/s | p50 ms | p99 ms | failed |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for batching, options in (("on", args.options), ("off", ("--max-batch", "1"))):
        if batching not in args.batching:
            continue
        with Server(args.folder, *options) as server:
            for api in args.apis:
                for clients in args.clients:
                    latencies, codes, elapsed = asyncio.run(
                        flood(
                            server,
                            args.folder.name,
                            api,
                            clients=clients,
                            inputs=inputs,
                            seconds=args.seconds,
                        )
                    )
                    cuts = statistics.quantiles([1000 * x for x in latencies], n=100)
                    failed = sum(codes.values()) - codes["200"]
                    print(
                        f"| {args.folder.name} | {batching} | {api} | {clients} | "
                        f"{len(latencies) / elapsed:.0f} | {cuts[49]:.1f} | {cuts[98]:.1f} | "
                        f"{failed} |",
                        flush=True,
                    )


def memory(args):
    with Server(args.folder, *args.options) as server:
        marks = {}

        def watch(count):
            if count % 1000 == 0 or count == 1:
                marks[count] = server.memory()

        _, codes, elapsed = asyncio.run(
            flood(
                server,
                args.folder.name,
                "REST",
                clients=16,
                inputs=inputs_of(args.folder),
                requests=10_000,
                watch=watch,
            )
        )
        print(f"{dict(codes)} in {elapsed:.1f} s; resident MB after so many requests:")
        print(", ".join(f"{count:,}: {size:.1f}" for count, size in marks.items()))


def overload(args):
    with Server(args.folder, "--queue-size", "16", "--max-batch", "4") as server:
        for api in args.apis:
            for clients in (8, 64):
                _, codes, elapsed = asyncio.run(
                    flood(
                        server,
                        args.folder.name,
                        api,
                        clients=clients,
                        inputs=inputs_of(args.folder),
                        seconds=args.seconds,
                    )
                )
                print(f"{api}, {clients} clients, queue of 16: {dict(codes)} in {elapsed:.1f} s")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("load", "memory", "overload"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--apis", nargs="+", choices=tuple(APIS), default=list(APIS))
    parser.add_argument("--batching", nargs="+", choices=("on", "off"), default=["on", "off"])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=(), help="for kgan serve")
    args = parser.parse_args()
    {"load": load, "memory": memory, "overload": overload}[args.what](args)


if __name__ == "__main__":
    main()
