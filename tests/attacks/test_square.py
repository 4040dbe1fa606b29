import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import Square
from kgan.attacks.square import pattern, window

SHAPE = tf.TensorShape([2, 9, 8, 3])


def bump(long, wide):
    """Nested rectangles, each adding 1 / k^2, as the paper draws them."""
    values = np.zeros((long, wide))
    for k in range(1, max(long // 2, wide // 2) + 2):
        top, left = long // 2 - k + 1, wide // 2 - k + 1
        values[max(top, 0) : top + 2 * k - 1, max(left, 0) : left + 2 * k - 1] += 1 / k**2
    return values / np.linalg.norm(values)


@pytest.mark.parametrize("side", [3, 5, 7])
def test_pattern(side):
    top, left = tf.constant([0, 2]), tf.constant([1, 0])
    got = pattern(top, left, tf.constant(side), tf.constant([False, True]), SHAPE).numpy()[..., 0]
    half = side // 2
    want = np.concatenate([bump(half, side), -bump(side - half, side)]) / np.sqrt(2)
    np.testing.assert_allclose(got[0, :side, 1 : 1 + side], want, atol=1e-6)
    np.testing.assert_allclose(got[1, 2 : 2 + side, :side], want.T, atol=1e-6)
    np.testing.assert_allclose(np.sum(got**2, axis=(1, 2)), 1.0, atol=1e-5)


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
