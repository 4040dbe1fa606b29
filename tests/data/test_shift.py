import numpy as np
import tensorflow as tf

from kgan.data.shift import shift


def test_each_image_is_moved_whole_and_by_no_more_than_asked():
    images = np.zeros((400, 9, 9, 1), "float32")
    images[:, 4, 4] = 1.0
    images[:, 4, 5] = 0.5
    moved = shift(tf.constant(images), tf.constant([1, 2]), pixels=2).numpy()
    row, column = np.array([np.argwhere(image[..., 0] == 1.0)[0] for image in moved]).T
    # All 25 shifts occur, and no others.
    assert {*zip(row - 4, column - 4, strict=True)} == {
        (a, b) for a in range(-2, 3) for b in range(-2, 3)
    }
    assert (moved[np.arange(400), row, column + 1] == 0.5).all()
    assert (moved.sum(axis=(1, 2, 3)) == 1.5).all()


def test_what_leaves_is_lost_and_zeros_come_in():
    moved = shift(tf.ones((50, 4, 4, 3)), tf.constant([0, 0]), pixels=4).numpy()
    assert moved.shape == (50, 4, 4, 3)
    assert set(np.unique(moved)) == {0.0, 1.0}


def test_the_shift_is_a_function_of_the_seed():
    images = tf.random.stateless_uniform((20, 8, 8, 1), (0, 0))
    first, again, other = (
        shift(images, tf.constant(seed), pixels=3) for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(first, again)
    assert (first.numpy() != other.numpy()).any()
