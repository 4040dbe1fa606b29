"""Each stated limit: what goes beyond is refused, what keeps to it is answered, and all go on."""

import asyncio
import contextlib
import json
import threading

import grpc
import httpx
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from kgan.serving.connections import HEAD_BYTES, LimitedProtocol
from tests.serving.test_server import BODY, PREDICT, request_of

CONTENT = json.dumps(BODY).encode()
HALF = b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nX-Name: "
ONE = request_of(seeds=np.array([1]), labels=np.array([0]))


def request_(*headers):
    lines = [f"POST {PREDICT} HTTP/1.1", "Host: localhost", f"Content-Length: {len(CONTENT)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + CONTENT


async def connected(url):
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def said(reader):
    """The status, or "" for a connection that ended without an answer."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""
    return head[9:12].decode()


async def good(url):
    async with httpx.AsyncClient(timeout=30) as client:
        return (await client.post(url + PREDICT, json=BODY)).status_code


def test_the_bytes_of_a_head(serve):
    async def body(url, address):
        codes = []
        for size in (HEAD_BYTES // 2, HEAD_BYTES + 1):
            reader, writer = await connected(url)
            writer.write(request_(f"X-Long: {'a' * size}"))
            codes.append(await said(reader))
            writer.close()
        # Many short lines are no other than one long one.
        reader, writer = await connected(url)
        writer.write(HALF)
        for _ in range(HEAD_BYTES // 1000 + 2):
            writer.write(b"a\r\nX-Name: ".ljust(1000, b"b"))
            await asyncio.sleep(0)
        codes.append(await said(reader))
        writer.close()
        return codes, await good(url)

    assert serve(body) == (["200", "431", "431"], 200)


CHUNKED = (
    f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
)


@pytest.mark.parametrize(
    "end", [b"0\r\n" + b"a: b\r\n" * 20000, b"0\r\na: " + b"b" * 90000, b"5;a="]
)
def test_what_is_no_body_is_bounded_after_the_head_too(serve, end):
    """Lines after the last chunk, and what may follow a chunk's size, come without an end."""

    async def body(url, address):
        reader, writer = await connected(url)
        writer.write(CHUNKED + b"2\r\n{}\r\n" + end)
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"b" * 1000)
                await writer.drain()
        code = await said(reader)
        writer.close()
        return code, await good(url)

    assert serve(body) == ("431", 200)


def test_small_chunks_are_a_body(serve):
    async def body(url, address):
        reader, writer = await connected(url)
        pieces = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in CONTENT + b" " * 20000)
        writer.write(CHUNKED + pieces + b"0\r\na: b\r\n\r\n" + request_())
        codes = [await said(reader)]
        await reader.readuntil(b"]}")
        codes.append(await said(reader))
        writer.close()
        return codes

    assert serve(body) == ["200", "200"]


def test_requests_that_come_at_once_are_answered_in_their_order(serve, caplog):
    """Many of them in one piece, one whose body comes in two, and then a head that is too long."""
    count = 600
    heads = b"".join(
        f"GET /v1/models/none{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 2
        for number in range(count)
    )

    async def body(url, address):
        reader, writer = await connected(url)
        half = len(CONTENT) // 2
        writer.write(heads + request_()[:-half])
        await asyncio.sleep(0.1)
        writer.write(request_()[-half:] + HALF + b"a" * 2 * HEAD_BYTES)
        answers = (await asyncio.wait_for(reader.read(), 30)).split(b"HTTP/1.1 ")[1:]
        writer.close()
        return answers, await good(url)

    answers, code = serve(body)
    assert [one[:3] for one in answers] == [b"404"] * 2 * count + [b"200", b"431"]
    named = [int(one.rpartition(b"none")[2].rstrip(b"'\"}")) for one in answers[:-2]]
    assert named == [number // 2 for number in range(2 * count)]
    assert code == 200
    assert not caplog.records


def test_requests_that_wait_for_others_of_their_connection_are_not_read(serve, monkeypatch):
    most = 0
    started = LimitedProtocol._start_asgi_task

    def observed(self, *arguments):
        nonlocal most
        most = max(most, len(self.pipeline))
        started(self, *arguments)

    monkeypatch.setattr(LimitedProtocol, "_start_asgi_task", observed)

    async def body(url, address):
        reader, writer = await connected(url)
        writer.write(b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)
        for _ in range(2000):
            await said(reader)
            await reader.readuntil(b"}")
        writer.close()

    serve(body)
    assert 0 < most < 200


def test_the_time_of_a_head(serve):
    """Half a head is answered with 408 when its time is over, drop by drop too; silence is not."""

    async def body(url, address):
        (half, writer), (slow, slow_writer), (silent, silent_writer) = [
            await connected(url) for _ in range(3)
        ]
        writer.write(HALF)
        slow_writer.write(HALF)

        async def drip():
            for _ in range(100):
                slow_writer.write(b"a")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        codes = [await said(reader) for reader in (half, slow, silent)]
        dripping.cancel()
        for one in (writer, slow_writer, silent_writer):
            one.close()
        return codes, await good(url)

    assert serve(body, timeout=0.6) == (["408", "408", ""], 200)


@pytest.mark.parametrize("limit", ["max_connections", "max_per_address"])
def test_connections_that_ask_nothing_make_room(serve, limit):
    async def body(url, address):
        held = [await connected(url) for _ in range(3)]
        for _, writer in held:
            writer.write(HALF)
            await writer.drain()
        await asyncio.sleep(0.1)
        assert await good(url) == 200
        # The one that had been there longest went, with no answer; the others are still there.
        assert await said(held[0][0]) == ""
        for _, writer in held[1:]:
            writer.write(b"\r\n" + request_().partition(b"Host: localhost\r\n")[2])
        codes = [await said(reader) for reader, _ in held[1:]]
        for _, writer in held:
            writer.close()
        return codes

    assert serve(body, **{limit: 3}) == ["200", "200"]


@pytest.mark.parametrize("limit", ["max_connections", "max_per_address"])
def test_what_is_being_answered_makes_no_room(serve, repository, monkeypatch, limit):
    signature = repository.model("toy").get().signature("")
    original, go = signature._function, threading.Event()
    monkeypatch.setattr(signature, "_function", lambda **inputs: go.wait(60) and original(**inputs))

    async def body(url, address):
        asked = [await connected(url) for _ in range(2)]
        for _, writer in asked:
            writer.write(request_())
            await writer.drain()
        await asyncio.sleep(0.3)
        reader, writer = await connected(url)
        writer.write(request_())
        refused = await said(reader)
        go.set()
        codes = [await said(reader) for reader, _ in asked]
        for _, one in (*asked, (reader, writer)):
            one.close()
        await asyncio.sleep(0.1)
        return refused, codes, await good(url)

    assert serve(body, **{limit: 2}) == ("503", ["200", "200"], 200)


def test_a_body_that_says_its_size_is_refused_before_it_comes(serve):
    async def body(url, address):
        reader, writer = await connected(url)
        writer.write(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\n".encode())
        writer.write(b"Content-Length: 99999999999\r\n\r\n")
        code = await said(reader)
        writer.close()
        return code, await good(url)

    assert serve(body, max_body=1000) == ("413", 200)


def test_a_client_that_goes_in_the_middle_of_its_body_is_no_fault_of_the_server(serve, caplog):
    async def body(url, address):
        _, writer = await connected(url)
        writer.write(request_()[:-3])
        await writer.drain()
        writer.transport.abort()
        for _ in range(100):
            await asyncio.sleep(0.05)
            async with httpx.AsyncClient() as client:
                counts = (await client.get(url + "/monitoring/prometheus/metrics")).text
            if 'code="CANCELLED"' in counts:
                return counts
        return counts

    counts = serve(body)
    assert 'code="CANCELLED"' in counts
    assert 'code="INTERNAL"' not in counts
    assert not [record for record in caplog.records if record.exc_info]


def test_a_request_has_one_host(serve):
    async def body(url, address):
        reader, writer = await connected(url)
        writer.write(request_("Host: localhost.example.org"))
        code = await said(reader)
        writer.close()
        return code, await good(url)

    assert serve(body) == ("400", 200)


def test_the_bytes_of_grpc_messages_and_metadata(serve):
    async def body(url, address):
        async with grpc.aio.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            large = request_of(seeds=np.arange(500), labels=np.zeros(500, np.int64))
            codes = [
                await stub.Predict(large).code(),
                await stub.Predict(ONE, metadata=[("x-long", "a" * 20_000)]).code(),
                await stub.Predict(ONE, metadata=[("x-short", "a" * 2_000)]).code(),
            ]
            return [code.name for code in codes]

    assert serve(body, max_body=2000) == ["RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", "OK"]


def test_the_number_of_grpc_requests(serve, repository, monkeypatch):
    signature = repository.model("toy").get().signature("")
    original, go = signature._function, threading.Event()
    monkeypatch.setattr(signature, "_function", lambda **inputs: go.wait(60) and original(**inputs))

    async def body(url, address):
        async with grpc.aio.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            calls = [stub.Predict(ONE) for _ in range(6)]
            done, _ = await asyncio.wait(
                [asyncio.ensure_future(call.code()) for call in calls],
                return_when=asyncio.FIRST_COMPLETED,
                timeout=30,
            )
            assert {code.result().name for code in done} == {"RESOURCE_EXHAUSTED"}
            go.set()
            return sorted([(await call.code()).name for call in calls])

    codes = serve(body, max_connections=4)
    assert codes == ["OK"] * 4 + ["RESOURCE_EXHAUSTED"] * 2
