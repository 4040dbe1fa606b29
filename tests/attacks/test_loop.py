import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import loop


@pytest.mark.parametrize(
    ("size", "active", "expected"),
    [
        *[(8, 8, 8), (8, 7, 8), (8, 5, 6), (8, 4, 4), (8, 1, 1), (8, 0, 1)],
        *[(256, 193, 256), (256, 192, 192), (256, 97, 128), (256, 96, 96), (256, 65, 96)],
        *[(100, 12, 12), (100, 13, 18), (100, 76, 100), (3, 2, 2)],
    ],
)
def test_bucket(size, active, expected):
    assert int(loop.bucket(tf.constant(size), tf.constant(active))) == expected


def test_examples_leave_with_the_result_they_had():
    ends = np.random.default_rng(0).permutation(33).astype("int32")
    sizes = []

    def step(i, state):
        tf.numpy_function(sizes.append, [tf.shape(state["value"])[0]], [])
        value = state["value"] + 1
        return {**state, "value": value, "done": value >= state["end"]}

    @tf.function
    def run():
        state = {
            "value": tf.zeros([33], tf.int32),
            "end": tf.constant(ends),
            "done": tf.constant(ends == 0),
        }
        return loop.run(step, state, 25, results=("value",))["value"]

    np.testing.assert_array_equal(run(), np.minimum(ends, 25))
    # All leave the batch on the way, in few sizes, and the loop stops at its limit.
    assert len(sizes) == 25
    assert set(map(int, sizes)) <= {33, 32, 24, 16, 12, 8}


def test_it_stops_when_all_are_done():
    calls = []

    def step(i, state):
        tf.numpy_function(calls.append, [i], [])
        return {**state, "done": tf.ones_like(state["done"])}

    state = {"done": tf.constant([True, False])}
    tf.function(lambda: loop.run(step, state, 1000, results=("done",)))()
    assert len(calls) == 1
