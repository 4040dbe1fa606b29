"""The pool of past samples against the loop of the paper's code; one pool for all replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.random
from kgan.models.image_pool import ImagePool


class SlowPool:
    """The published loop, one sample after the other, with the pool's own draws."""

    def __init__(self, size):
        self.size, self.kept = size, []

    def exchange(self, samples, seed):
        draws = kgan.random.stateless_uniform(seed, [len(samples), 2]).numpy()
        given = []
        for sample, (coin, place) in zip(samples, draws, strict=True):
            if len(self.kept) < self.size:
                self.kept.append(sample)
                given.append(sample)
            elif coin < 0.5:
                number = int(place * self.size)
                given.append(self.kept[number])
                self.kept[number] = sample
            else:
                given.append(sample)
        return np.stack(given)


def seeds(step):
    return kgan.random.step_seed(3, step, "pool")


# More samples in a batch than places: several take one place.
@pytest.mark.parametrize(("size", "batch"), [(5, 1), (5, 3), (2, 7), (50, 8)])
def test_the_published_loop(size, batch):
    random = np.random.default_rng(0)
    pool, slow = ImagePool(size, (2, 2, 1)), SlowPool(size)
    exchange = tf.function(pool.exchange)
    old = 0
    for step in range(30):
        samples = random.random((batch, 2, 2, 1), dtype=np.float32)
        given = exchange(tf.constant(samples), seeds(step)).numpy()
        np.testing.assert_array_equal(given, slow.exchange(samples, seeds(step)))
        kept = np.stack(slow.kept)
        np.testing.assert_array_equal(np.asarray(pool.samples)[: len(kept)], kept)
        assert int(pool.kept) == len(kept)
        old += (given != samples).any(axis=(1, 2, 3)).sum()
    # About half of what came after it was full.
    late = 30 * batch - size
    assert abs(old - late / 2) < 4 * np.sqrt(late / 4) + 1


def test_a_pool_of_nothing_gives_back_what_it_is_given():
    pool = ImagePool(0, (2,))
    samples = tf.ones([3, 2])
    assert pool.exchange(samples, seeds(0)) is samples
    assert not pool.weights
    with pytest.raises(ValueError, match="size of a pool must be at least 0, got -1"):
        ImagePool(-1, (2,))


def test_it_is_saved_with_what_owns_it(tmp_path):
    pool = ImagePool(4, (2,))
    pool.exchange(tf.random.stateless_uniform([3, 2], [0, 0]), seeds(0))
    again = ImagePool.from_config(pool.get_config())
    again.set_weights(pool.get_weights())
    more = tf.random.stateless_uniform([6, 2], [0, 1])
    one, other = (one.exchange(more, seeds(1)).numpy() for one in (pool, again))
    np.testing.assert_array_equal(one, other)
    assert all(not variable.trainable for variable in pool.variables)
    assert isinstance(pool.kept, keras.Variable)
