"""Load for a server of TensorFlow Serving's contract: `kgan serve`, or TensorFlow Serving itself.

    python benchmarks/load.py http://127.0.0.1:8501 digits --inputs '{"seeds": [1], "labels": [3]}'
    python benchmarks/load.py grpc://127.0.0.1:8500 digits --clients 1 8 64 --inputs '...'

Each client asks, and asks again when it has the answer (a closed loop), over a connection of its
own. What is printed is requests a second, the median and the 99th percentile of their times, and
how many had another answer than 200 or OK. Clients take processor time too: where they share a
machine with the server, a machine of its own would serve more.

REST needs nothing beyond Python; gRPC the extra `serve`.
"""

import argparse
import asyncio
import collections
import dataclasses
import json
import re
import ssl
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclasses.dataclass(frozen=True)
class Target:
    """What is asked.

    Attributes:
        url: "http://HOST:PORT", "https://..." or "grpc://HOST:PORT".
        model: The model's name.
        inputs: Values by the input's name.
        signature: The signature's name.
        token: Sent as `Authorization: Bearer TOKEN`.
    """

    url: str
    model: str
    inputs: Mapping[str, Any]
    signature: str = "serving_default"
    token: str | None = None


class Rest:
    """One connection that is kept; the least of HTTP that a client needs."""

    def __init__(self, target: Target):
        self.parts = urlsplit(target.url)
        body = json.dumps({"signature_name": target.signature, "inputs": target.inputs}).encode()
        head = [
            f"POST /v1/models/{target.model}:predict HTTP/1.1",
            f"Host: {self.parts.netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        if target.token is not None:
            head.append(f"Authorization: Bearer {target.token}")
        self.request = "\r\n".join([*head, "", ""]).encode() + body

    async def open(self) -> None:
        """Connects."""
        context = None
        if self.parts.scheme == "https":
            # It measures; whose the certificate is, others check.
            context = ssl._create_unverified_context()
        self.reader, self.writer = await asyncio.open_connection(
            self.parts.hostname, self.parts.port, ssl=context
        )

    async def ask(self) -> str:
        """The answer's code."""
        self.writer.write(self.request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if length := re.search(rb"content-length: *(\d+)", head, re.I):
            await self.reader.readexactly(int(length[1]))
        else:
            while size := int(await self.reader.readline(), 16):
                await self.reader.readexactly(size + 2)
            await self.reader.readline()
        return head[9:12].decode()

    async def close(self) -> None:
        """Disconnects."""
        self.writer.close()


class Grpc:
    """One channel of its own."""

    def __init__(self, target: Target):
        self.target = target

    async def open(self) -> None:
        """Connects, and asks for the types of the inputs."""
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        target = self.target
        self.error = grpc.aio.AioRpcError
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.insecure_channel(urlsplit(target.url).netloc, options=options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.metadata = [("authorization", f"Bearer {target.token}")] if target.token else None
        self.request = await self._request()

    async def _request(self):
        import tensorflow as tf
        from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

        target, key = self.target, "signature_def"
        ask = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec={"name": target.model}, metadata_field=[key]
        )
        reply = await self.stub.GetModelMetadata(ask, metadata=self.metadata)
        told = get_model_metadata_pb2.SignatureDefMap()
        reply.metadata[key].Unpack(told)
        inputs = told.signature_def[target.signature].inputs
        return predict_pb2.PredictRequest(
            model_spec={"name": target.model, "signature_name": target.signature},
            inputs={
                name: tf.make_tensor_proto(value, tf.dtypes.as_dtype(inputs[name].dtype))
                for name, value in target.inputs.items()
            },
        )

    async def ask(self) -> str:
        """The answer's code; 200 for OK."""
        try:
            await self.stub.Predict(self.request, metadata=self.metadata)
        except self.error as error:
            return error.code().name
        return "200"

    async def close(self) -> None:
        """Disconnects."""
        await self.channel.close()


def client_of(target: Target) -> Rest | Grpc:
    """A client for the target's scheme."""
    return Grpc(target) if target.url.startswith("grpc:") else Rest(target)


@dataclasses.dataclass
class Measured:
    """What a flood of requests found.

    Attributes:
        seconds: Time of each request.
        codes: How many answers had each code; "cut off" where the connection ended.
        elapsed: Time of the whole.
    """

    seconds: list[float]
    codes: collections.Counter
    elapsed: float

    @property
    def rate(self) -> float:
        """Answers of code 200 a second."""
        return self.codes["200"] / self.elapsed

    @property
    def failed(self) -> int:
        """Requests without an answer of code 200."""
        return self.codes.total() - self.codes["200"]

    def milliseconds(self, percent: int) -> float:
        """A percentile of the times."""
        return 1000 * statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


async def flood(
    target: Target,
    *,
    clients: int,
    seconds: float | None = None,
    requests: int | None = None,
    watch: Callable[[int], None] = lambda count: None,
) -> Measured:
    """Asks for some seconds, or until there are so many answers; two rounds before do not count.

    Args:
        target: What is asked.
        clients: How many ask at a time.
        seconds: How long.
        requests: How many answers.
        watch: Called with the number of answers so far.
    """
    found = Measured([], collections.Counter(), 0.0)
    connections = [client_of(target) for _ in range(clients)]
    for connection in connections:
        await connection.open()
    for _ in range(2):
        await asyncio.gather(*(connection.ask() for connection in connections))
    begin = time.perf_counter()

    def more() -> bool:
        if requests is not None:
            return found.codes.total() < requests
        return time.perf_counter() - begin < (seconds or 0)

    async def client(connection):
        while more():
            start = time.perf_counter()
            try:
                code = await connection.ask()
            except (OSError, EOFError):
                code = "cut off"
                await connection.open()
            found.codes[code] += 1
            found.seconds.append(time.perf_counter() - start)
            watch(found.codes.total())

    await asyncio.gather(*map(client, connections))
    found.elapsed = time.perf_counter() - begin
    for connection in connections:
        await connection.close()
    return found


HEAD = "| clients | requests/s | p50 ms | p99 ms | failed |\n| --- | --- | --- | --- | --- |"


def row(clients: int, found: Measured) -> str:
    """A line of the table."""
    failed = ", ".join(f"{n} {code}" for code, n in found.codes.items() if code != "200") or "0"
    return (
        f"| {clients} | {found.rate:.0f} | {found.milliseconds(50):.1f} | "
        f"{found.milliseconds(99):.1f} | {failed} |"
    )


def main() -> None:
    """Prints a table, a line for each number of clients."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("url", help="http://HOST:PORT, https://HOST:PORT or grpc://HOST:PORT")
    parser.add_argument("model")
    parser.add_argument("--inputs", type=json.loads, required=True, help="JSON: values by name")
    parser.add_argument("--signature", default="serving_default")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--token-file", type=Path)
    args = parser.parse_args()
    token = None if args.token_file is None else args.token_file.read_text().strip()
    target = Target(args.url, args.model, args.inputs, args.signature, token)
    print(HEAD)
    for clients in args.clients:
        found = asyncio.run(flood(target, clients=clients, seconds=args.seconds))
        print(row(clients, found), flush=True)


if __name__ == "__main__":
    main()
