import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import Square
from kgan.attacks.square import pattern, window

SHAPE = tf.TensorShape([2, 9, 8, 3])


def bump(long, wide, norm="l2"):
    """Nested rectangles, each adding 1 / k^2 in l2, 1 / k^4 in l1, as the papers draw them."""
    falls, order = (2, 2) if norm == "l2" else (4, 1)
    values = np.zeros((long, wide))
    for k in range(1, max(long // 2, wide // 2) + 2):
        top, left = long // 2 - k + 1, wide // 2 - k + 1
        values[max(top, 0) : top + 2 * k - 1, max(left, 0) : left + 2 * k - 1] += 1 / k**falls
    return values / np.linalg.norm(values.ravel(), order)


@pytest.mark.parametrize("side", [3, 5, 7])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_pattern(side, norm):
    corner, turned = (tf.constant([0, 2]), tf.constant([1, 0])), tf.constant([False, True])
    got = pattern(*corner, tf.constant(side), turned, SHAPE, norm).numpy()[..., 0]
    half = side // 2
    want = np.concatenate([bump(half, side, norm), -bump(side - half, side, norm)])
    want /= np.sqrt(2) if norm == "l2" else 2
    np.testing.assert_allclose(got[0, :side, 1 : 1 + side], want, atol=1e-6)
    np.testing.assert_allclose(got[1, 2 : 2 + side, :side], want.T, atol=1e-6)
    order = 2 if norm == "l2" else 1
    lengths = [np.linalg.norm(one.ravel(), order) for one in got]
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)


def test_window():
    mask = window(tf.constant([1, 5]), tf.constant([2, 4]), tf.constant(3), SHAPE).numpy()[..., 0]
    want = np.zeros((2, 9, 8), bool)
    want[0, 1:4, 2:5] = True
    want[1, 5:8, 4:7] = True
    np.testing.assert_array_equal(mask, want)


@pytest.mark.parametrize(
    ("rescale", "query", "side"),
    [(False, 0, 25), (False, 11, 18), (False, 51, 13), (False, 201, 9), (False, 1001, 4),
     (False, 4999, 2), (True, 4999, 1), (True, 6, 18)],
)  # fmt: skip
def test_squares_shrink_on_the_published_schedule(rescale, query, side):
    square = Square(rescale=rescale, steps=5000)
    assert int(square._side(tf.constant(query), tf.TensorShape([None, 28, 28, 1]))) == side
