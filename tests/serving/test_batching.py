"""The queue in front of TensorFlow, with a signature that counts its calls."""

import asyncio
import threading
import time

import numpy as np
import pytest

from kgan.serving.batching import Batcher
from kgan.serving.errors import ServingError, invalid
from kgan.serving.signature import Signature, batch_sizes


class Doubling:
    """Doubles x; holds its calls back until `go` is set; refuses negative values."""

    batchable = True
    inputs = ("x",)

    def __init__(self):
        self.calls = []
        self.begun = []
        self.go = threading.Event()
        self.go.set()

    def check(self, inputs):
        return len(inputs["x"])

    def least_bytes(self, rows):
        return 0

    def run(self, inputs, sizes, *, limit):
        self.begun.append(inputs["x"].tolist())
        assert self.go.wait(20)
        self.calls.append(inputs["x"].tolist())
        if (inputs["x"] < 0).any():
            raise invalid(f"{inputs['x'].min()} is negative")
        return {"y": 2 * inputs["x"]}


def drive(body, **options):
    async def inside():
        batcher = Batcher(**options)
        signature = Doubling()

        async def ask(*values, within=20, of=signature):
            reply = await batcher.submit(of, {"x": np.array(values)}, within=within)
            return reply["y"].tolist()

        try:
            return await body(ask, signature, batcher)
        finally:
            signature.go.set()
            await batcher.close()

    return asyncio.run(inside())


async def settle():
    for _ in range(5):
        await asyncio.sleep(0.01)


def test_requests_are_joined_and_each_gets_its_own_rows():
    async def body(ask, signature, batcher):
        replies = await asyncio.gather(*(ask(*range(n, 2 * n)) for n in range(1, 6)))
        assert replies == [[2 * value for value in range(n, 2 * n)] for n in range(1, 6)]
        assert sum(map(len, signature.calls)) == 15
        assert len(signature.calls) == 1

    drive(body, timeout=0.05)


def test_a_batch_has_at_most_max_batch_rows_and_keeps_the_order():
    async def body(ask, signature, batcher):
        await asyncio.gather(*(ask(n, n) for n in range(7)))
        assert [len(call) for call in signature.calls] == [4, 4, 4, 2]
        assert [value for call in signature.calls for value in call[::2]] == list(range(7))

    drive(body, max_batch=4, timeout=0.05, threads=1)


def test_full_batches_do_not_wait():
    async def body(ask, signature, batcher):
        begin = time.monotonic()
        await asyncio.gather(*(ask(n) for n in range(4)))
        assert time.monotonic() - begin < 15
        assert len(signature.calls) == 1

    drive(body, max_batch=4, timeout=60)


@pytest.mark.parametrize("threads", [1, 2])
def test_more_requests_join_while_a_call_runs(threads):
    """Although a thread may be free: it would take the first alone, and the next one the second."""

    async def body(ask, signature, batcher):
        signature.go.clear()
        first = asyncio.create_task(ask(0))
        await settle()
        others = [asyncio.create_task(ask(n)) for n in range(1, 6)]
        await settle()
        signature.go.set()
        await asyncio.gather(first, *others)
        assert signature.calls == [[0], [1, 2, 3, 4, 5]]

    drive(body, threads=threads)


def test_a_full_batch_and_other_signatures_wait_for_no_call():
    async def body(ask, signature, batcher):
        signature.go.clear()
        asked = [asyncio.create_task(ask(0))]
        await settle()
        asked += [asyncio.create_task(ask(n)) for n in (1, 2, 3)]
        await settle()
        assert signature.begun == [[0], [1, 2]]
        other = Doubling()
        assert await ask(4, of=other) == [8]
        signature.go.set()
        await asyncio.gather(*asked)
        assert signature.begun[2:] == [[3]]

    drive(body, max_batch=2, threads=3)


def test_a_large_request_lets_small_ones_pass():
    async def body(ask, signature, batcher):
        signature.go.clear()
        large = asyncio.create_task(ask(*range(5)))
        await settle()
        small = [asyncio.create_task(ask(n)) for n in (7, 8)]
        await settle()
        signature.go.set()
        assert await large == [0, 2, 4, 6, 8]
        assert await asyncio.gather(*small) == [[14], [16]]
        assert signature.calls == [[0, 1], [7, 8], [2, 3], [4]]

    drive(body, max_batch=2, threads=1)


def test_an_answer_that_would_come_too_late_is_refused_at_once():
    """A call takes 2 s: after the one that runs, two for three that wait, and the own one: 8 s."""

    async def body(ask, signature, batcher):
        signature.go.clear()
        batcher._takes[signature] = 2.0
        running = asyncio.create_task(ask(0))
        await settle()
        waiting = [asyncio.create_task(ask(n, n)) for n in (1, 2)]
        await settle()
        with pytest.raises(ServingError, match=r"for about 8 s, and the answer is needed within 7"):
            await ask(9, within=7.9)
        late = asyncio.create_task(ask(9, within=8.1))
        await settle()
        assert not late.done()
        signature.go.set()
        await asyncio.gather(running, *waiting, late)
        # Calls take no time now, and it learns at once.
        assert batcher._takes[signature] < 1

    drive(body, max_batch=2, threads=1)


def test_a_slow_call_is_learned_slowly():
    async def body(ask, signature, batcher):
        for seconds, learned in ((10, 2), (10, 3.6), (1, 1), (0.5, 0.5), (1, 0.6)):
            batcher._learn(signature, seconds)
            assert batcher._takes[signature] == pytest.approx(learned)

    drive(body)


def test_max_batch_1_joins_nothing():
    async def body(ask, signature, batcher):
        assert await asyncio.gather(ask(1), ask(2, 3)) == [[2], [4, 6]]
        assert sorted(map(len, signature.calls)) == [1, 2]

    drive(body, max_batch=1)


def test_a_bad_request_fails_alone():
    async def body(ask, signature, batcher):
        good, bad, also_good = await asyncio.gather(ask(1), ask(-2), ask(3), return_exceptions=True)
        assert (good, also_good) == ([2], [6])
        assert isinstance(bad, ServingError)
        assert bad.message == "-2 is negative"
        assert len(signature.calls[0]) == 3

    drive(body, timeout=0.05)


def test_a_full_queue_turns_requests_away_and_recovers():
    async def body(ask, signature, batcher):
        signature.go.clear()
        running = asyncio.create_task(ask(0))
        await settle()
        waiting = [asyncio.create_task(ask(n)) for n in range(3)]
        await settle()
        assert batcher.waiting == 3
        with pytest.raises(ServingError) as caught:
            await ask(9)
        assert (caught.value.code, caught.value.http_status) == ("RESOURCE_EXHAUSTED", 429)
        signature.go.set()
        await asyncio.gather(running, *waiting)
        assert batcher.waiting == 0
        assert await ask(4) == [8]

    drive(body, queue_size=3, threads=1)


def test_a_deadline_frees_the_place_in_the_queue():
    async def body(ask, signature, batcher):
        signature.go.clear()
        running = asyncio.create_task(ask(0))
        await settle()
        with pytest.raises(ServingError) as caught:
            await ask(1, within=0.05)
        assert (caught.value.code, caught.value.http_status) == ("DEADLINE_EXCEEDED", 504)
        assert batcher.waiting == 0
        cancelled = asyncio.create_task(ask(2))
        await settle()
        cancelled.cancel()
        await settle()
        assert batcher.waiting == 0
        signature.go.set()
        await running
        await settle()
        # Nobody waited for 1 and 2 any more.
        assert signature.calls == [[0]]

    drive(body, threads=1)


def test_closing_answers_what_waits():
    async def body(ask, signature, batcher):
        signature.go.clear()
        asked = [asyncio.create_task(ask(n)) for n in range(4)]
        await settle()
        closing = asyncio.create_task(batcher.close())
        await settle()
        signature.go.set()
        await closing
        assert [task.result() for task in asked] == [[0], [2], [4], [6]]

    drive(body, threads=1, max_batch=2)


def test_nothing_is_kept_of_what_is_answered():
    async def body(ask, signature, batcher):
        await asyncio.gather(*(ask(n) for n in range(8)))
        await settle()
        assert not batcher._lines
        assert not batcher._tasks

    drive(body)


@pytest.mark.parametrize(
    ("largest", "sizes"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8))]
)
def test_sizes(largest, sizes):
    assert batch_sizes(largest) == sizes


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 5, 9])
def test_rows_are_padded_and_split(rows):
    seen = []

    class Counting(Signature):
        def __init__(self):
            self.batchable, self.outputs = True, ("y",)

        def _call(self, inputs, limit):
            seen.append(len(inputs["x"]))
            return {"y": inputs["x"] + 1}

    x = np.arange(rows, dtype=np.float32)
    np.testing.assert_array_equal(Counting().run({"x": x}, (1, 2, 4))["y"], x + 1)
    assert seen == {0: [0], 1: [1], 3: [4], 4: [4], 5: [4, 1], 9: [4, 4, 1]}[rows]
