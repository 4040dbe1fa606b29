import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kgan.attacks import example_random, norms


def projection_oracle(change, original, epsilon):
    """The same projection in float64 by bisection on the threshold."""
    size = np.abs(change)
    room = np.where(change > 0, 1 - original, original)

    def shrunk(threshold):
        return np.minimum(np.maximum(size - threshold, 0), room)

    low, high = 0.0, size.max()
    if shrunk(0).sum() > epsilon:
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if shrunk(middle).sum() > epsilon else (low, middle)
        return np.sign(change) * shrunk(high)
    return np.sign(change) * shrunk(0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from([1, 2, 7, 40]), st.floats(0, 12))
def test_l1_projection_agrees_with_float64_bisection(seed, size, epsilon):
    random = np.random.default_rng(seed)
    original = random.uniform(size=(3, size)).astype("float32")
    original[0] = random.integers(0, 2, size)
    change = (random.normal(size=(3, size)) * random.uniform(0, 3)).astype("float32")
    got = norms.project_l1(tf.constant(change), tf.constant(original), epsilon).numpy()
    for row in range(3):
        want = projection_oracle(
            change[row].astype(np.float64), original[row].astype(np.float64), epsilon
        )
        np.testing.assert_allclose(got[row], want, atol=3e-6)
    assert np.abs(got).sum(axis=1, dtype=np.float64).max() <= epsilon * (1 + 1e-6)


@pytest.mark.parametrize("norm", norms.NORMS)
def test_projection_is_inside_and_idempotent(norm):
    random = np.random.default_rng(0)
    original = tf.constant(random.uniform(size=(20, 5, 5, 2)).astype("float32"))
    wild = original + tf.constant(random.normal(size=(20, 5, 5, 2)).astype("float32"))
    once = norms.project(wild, original, 0.4, norm)
    assert norms.length(once - original, norm).numpy().max() <= 0.4 + 1e-6
    assert once.numpy().min() >= 0
    assert once.numpy().max() <= 1
    np.testing.assert_allclose(norms.project(once, original, 0.4, norm), once, atol=1e-6)


@pytest.mark.parametrize(("norm", "size"), [("linf", 0.1), ("l2", 0.3), ("l1", 1.5)])
def test_steepest_change_beats_random_changes_of_its_length(norm, size):
    random = np.random.default_rng(0)
    images = random.uniform(0.2, 0.8, size=(1, 12)).astype("float32")
    gradient = random.normal(size=(1, 12)).astype("float32")
    change = norms.steepest(tf.constant(gradient), tf.constant(images), size, norm)
    assert norms.length(change, norm).numpy()[0] <= size + 1e-6
    best = float(np.sum(change * gradient))
    others = tf.constant(images + random.normal(size=(2000, 12)).astype("float32"))
    others = norms.project(others, tf.constant(np.repeat(images, 2000, 0)), size, norm)
    gains = np.sum((others.numpy() - images) * gradient, axis=1)
    assert gains.max() <= best + 1e-5


def test_steepest_l1_spends_its_budget_on_the_largest_gradients_with_room():
    gradient = tf.constant([[0.1, -5.0, 3.0, 1.0]])
    images = tf.constant([[0.5, 0.25, 1.0, 0.9]])
    change = norms.steepest(gradient, images, 0.3, "l1")
    np.testing.assert_allclose(change, [[0.0, -0.25, 0.0, 0.05]], atol=1e-6)


@pytest.mark.parametrize("norm", norms.NORMS)
def test_random_points_fill_the_ball_evenly(norm):
    keys = example_random.example_keys(0, tf.range(20000))
    original = tf.fill([20000, 2], 0.5)
    points = norms.random_point(original, keys, 0.3, norm)
    lengths = norms.length(points - original, norm).numpy() / 0.3
    assert lengths.max() <= 1 + 1e-5
    # In two dimensions the ball of half the radius holds a quarter of the points.
    assert abs(np.mean(lengths < 0.5) - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 20000)
    assert np.abs((points - original).numpy().mean(axis=0)).max() < 0.3 * 5 / np.sqrt(20000)


def test_lengths():
    change = tf.constant([[3.0, 0.0, -4.0]])
    lengths = [float(norms.length(change, norm)[0]) for norm in ("l0", "l1", "l2", "linf")]
    assert lengths == [2.0, 7.0, 5.0, 4.0]
    with pytest.raises(ValueError, match="norm must be"):
        norms.length(change, "l3")
