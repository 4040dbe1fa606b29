"""Draws are a pure function of (seed, purpose, step, position)."""

import numpy as np
import pytest
import tensorflow as tf

import kgan.latents
import kgan.random
from kgan.latents import philox


def draw(seed=0, step=0, purpose="latents", shape=(4, 3)):
    return kgan.random.normal(kgan.random.step_seed(seed, step, purpose), shape).numpy()


def test_equal_arguments_give_equal_draws():
    np.testing.assert_array_equal(draw(), draw())


@pytest.mark.parametrize("other", [{"seed": 1}, {"step": 1}, {"purpose": "noise"}])
def test_any_other_argument_gives_another_draw(other):
    assert not np.allclose(draw(), draw(**other))


def test_normal_draws_are_standard():
    values = draw(shape=(20_000, 2))
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02


def test_uniform_draws_are_uniform_and_never_reach_the_ends():
    values = kgan.random.stateless_uniform(kgan.random.step_seed(0, 0, "u"), [100_000]).numpy()
    assert 0 < values.min() < 1e-4
    assert 1 - 1e-4 < values.max() < 1
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    assert np.abs(counts - 10_000).max() < 500


@pytest.mark.parametrize("draw", [kgan.random.normal, kgan.random.uniform])
def test_xla_draws_the_same(draw):
    step = tf.Variable(3)

    def function():
        return draw(kgan.random.step_seed(0, step, "latents"), [16, 6])

    plain, compiled = tf.function(function)(), tf.function(function, jit_compile=True)()
    np.testing.assert_allclose(plain, compiled, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 6, 37])
def test_a_seeds_latent_does_not_depend_on_its_neighbours(size):
    together = kgan.latents.from_seeds(kgan.latents.example_seeds(7, 5), size).numpy()
    for row in range(5):
        alone = kgan.latents.from_seeds(kgan.latents.example_seeds(7, 1, start=row), size)
        np.testing.assert_array_equal(together[row : row + 1], alone)
    assert len(np.unique(together)) == together.size


@pytest.mark.parametrize("jit", [False, True])
def test_bits_of_many_seeds_are_tensorflows_of_each(jit):
    seeds = tf.constant([0, 1, -1, -(2**40), 2**31, 2**62 + 5, 7 << 32], tf.int64)
    together = tf.function(philox.bits_of, jit_compile=jit)(seeds, 11)
    for seed, row in zip(seeds, together.numpy(), strict=True):
        pair = tf.bitcast(seed, tf.int32)
        alone = tf.random.stateless_uniform([11], pair, None, None, tf.uint32, alg="philox")
        np.testing.assert_array_equal(row, alone)


def test_requests_with_different_seeds_share_no_example():
    first = set(kgan.latents.example_seeds(0, 1000).numpy())
    assert not first & set(kgan.latents.example_seeds(1, 1000).numpy())


@pytest.mark.parametrize("n", [-1, 2.5])
def test_no_number_of_samples(n):
    with pytest.raises(ValueError, match=f"n must be a whole number of at least 0, got {n}"):
        kgan.latents.example_seeds(0, n)


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, True])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match=r"seed must be a whole number in \[0, 2147483647\]"):
        kgan.random.check_seed(seed)


def test_interpolation_ends_and_middles():
    start, end = np.array([[2.0, 0.0]], np.float32), np.array([[0.0, 4.0]], np.float32)
    for method in kgan.latents.INTERPOLATIONS.values():
        np.testing.assert_allclose(
            method(start, end, np.array([0.0], np.float32)), start, atol=1e-6
        )
        np.testing.assert_allclose(method(start, end, np.array([1.0], np.float32)), end, atol=1e-6)
    half = np.array([0.5], np.float32)
    np.testing.assert_allclose(kgan.latents.linear(start, end, half), [[1.0, 2.0]])
    # Halfway round the quarter circle, at the mean length.
    diagonal = 3 / np.sqrt(2)
    np.testing.assert_allclose(
        kgan.latents.spherical(start, end, half), [[diagonal, diagonal]], rtol=1e-6
    )
    same = kgan.latents.spherical(start, start, half)
    np.testing.assert_allclose(same, start, rtol=1e-6)


@pytest.mark.parametrize("nearly", [0.0, 1e-9, 1e-5, 1e-3])
def test_the_way_to_an_opposite_goes_round_at_the_same_length(nearly):
    start = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    start[2] = [0, 3, 0, 0, 0, 0]
    end = -2.0 * start + nearly * np.eye(6, dtype=np.float32)[:3]
    length = np.linalg.norm(start, axis=1)
    before = start
    for share in np.linspace(0, 1, 9, dtype=np.float32):
        point = kgan.latents.spherical(start, end, np.full(3, share)).numpy()
        np.testing.assert_allclose(np.linalg.norm(point, axis=1), length * (1 + share), rtol=2e-3)
        # Steps of an eighth of half a circle, and along it no jumps.
        if share:
            cosine = (before * point).sum(axis=1)
            cosine /= np.linalg.norm(before, axis=1) * np.linalg.norm(point, axis=1)
            np.testing.assert_allclose(np.arccos(cosine), np.pi / 8, atol=2e-3)
        before = point
    np.testing.assert_allclose(point, end, atol=2e-3)


def test_other_ways_are_those_of_the_sines():
    random = np.random.default_rng(1)
    start, end = random.standard_normal((2, 50, 4))
    share = random.random(50)
    lengths = [np.linalg.norm(side, axis=1, keepdims=True) for side in (start, end)]
    angle = np.arccos((start * end).sum(axis=1, keepdims=True) / lengths[0] / lengths[1])
    part = share[:, None]
    expected = np.sin((1 - part) * angle) * start / lengths[0]
    expected = (expected + np.sin(part * angle) * end / lengths[1]) / np.sin(angle)
    expected *= (1 - part) * lengths[0] + part * lengths[1]
    given = (one.astype(np.float32) for one in (start, end, share))
    np.testing.assert_allclose(kgan.latents.spherical(*given), expected, atol=1e-5)
    np.testing.assert_allclose(kgan.latents.spherical(start, end, share), expected, atol=1e-12)


def test_latents_of_any_precision_are_truncated():
    latents = np.random.default_rng(0).standard_normal((4, 6))
    expected = kgan.latents.truncated(latents.astype(np.float32), 1.0)
    np.testing.assert_array_equal(kgan.latents.truncated(latents, 1.0), expected)
