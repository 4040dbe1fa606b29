import numpy as np
import tensorflow as tf

from kgan.attacks import example_random


def keys(indices, seed=3):
    return example_random.example_keys(seed, tf.constant(indices, tf.int32))


def test_an_example_draws_the_same_whatever_its_neighbours():
    together = example_random.uniform(keys(range(10)), (4, 3), "start", 2).numpy()
    alone = example_random.uniform(keys([7]), (4, 3), "start", 2).numpy()
    np.testing.assert_array_equal(together[7], alone[0])


def test_seed_example_purpose_and_step_each_change_the_draw():
    base = example_random.uniform(keys([1]), (50,), "start", 0).numpy()
    others = [
        example_random.uniform(keys([1], seed=4), (50,), "start", 0),
        example_random.uniform(keys([2]), (50,), "start", 0),
        example_random.uniform(keys([1]), (50,), "noise", 0),
        example_random.uniform(keys([1]), (50,), "start", 1),
    ]
    for other in others:
        assert not np.any(base == other.numpy())


def test_uniform_is_uniform_and_uncorrelated():
    draw = example_random.uniform(keys(range(400)), (500,), "start").numpy().astype(np.float64)
    assert 0.0 < draw.min() < 1e-4
    assert 1 - 1e-4 < draw.max() < 1.0
    counts, _ = np.histogram(draw, bins=100, range=(0, 1))
    expected = draw.size / 100
    # Chi-square with 99 degrees of freedom: mean 99, standard deviation 14.
    assert np.sum((counts - expected) ** 2) / expected < 99 + 5 * 14
    by_example = np.corrcoef(draw)[np.triu_indices(400, 1)]
    by_position = np.corrcoef(draw.T)[np.triu_indices(500, 1)]
    assert abs(by_example.std() * np.sqrt(500) - 1) < 0.02
    assert abs(by_position.std() * np.sqrt(400) - 1) < 0.02
    lag = np.mean((draw[:, 1:] - 0.5) * (draw[:, :-1] - 0.5)) * 12
    assert abs(lag) < 5 / np.sqrt(draw.size)


def test_normal_and_signs_have_their_moments():
    normal = example_random.normal(keys(range(200)), (500,), "noise").numpy().astype(np.float64)
    n = normal.size
    assert abs(normal.mean()) < 5 / np.sqrt(n)
    assert abs(normal.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs(np.mean(normal**4) - 3) < 5 * np.sqrt(96 / n)
    signs = example_random.signs(keys(range(200)), (500,), "sign").numpy()
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 5 / np.sqrt(n)
