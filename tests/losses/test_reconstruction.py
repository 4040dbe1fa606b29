"""Distances of samples, and the one mean that makes a number of each sample."""

import numpy as np
import pytest
import tensorflow as tf

from kgan import losses

ONE, OTHER = (np.random.default_rng(i).normal(size=(3, 4, 2)) for i in range(2))


@pytest.mark.parametrize(("loss", "of"), [(losses.l1, np.abs), (losses.l2, np.square)])
def test_a_distance_is_the_mean_over_all_values_of_a_sample(loss, of):
    found = loss(tf.constant(ONE), tf.constant(OTHER))
    np.testing.assert_allclose(found, of(ONE - OTHER).mean(axis=(1, 2)), rtol=1e-12)


def test_one_number_a_sample_is_left_as_it_is():
    values = tf.constant([0.1, 0.2, 0.3])
    assert losses.per_sample(values) is values
    np.testing.assert_allclose(losses.per_sample(tf.constant(ONE)), ONE.mean(axis=(1, 2)), 1e-12)


def test_reduce_takes_the_mean_of_each_sample_of_a_map():
    assert float(losses.reduce(tf.constant(ONE))) == pytest.approx(ONE.mean(), rel=1e-5)
