"""Sums and inner products of records' gradients, against gradients that are taken one by one."""

import numpy as np
import pytest
import tensorflow as tf

from kgan.privacy import RecordGradients, record_gradients
from tests.privacy.test_clipping import NETWORKS, built, flat, losses, one_by_one

SHARES = np.array([1.0, 0.5, 0.0, 0.2, 2.0, 0.3], np.float32)


@pytest.fixture(scope="module", params=NETWORKS)
def case(request):
    network, inputs = built(request.param)
    return network, inputs, one_by_one(network, inputs)


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=3e-6 * np.abs(wanted).max())


def test_sums_and_lengths(case):
    network, inputs, gradients = case
    found = RecordGradients(network, inputs, losses)
    close(found.lengths(), np.linalg.norm(gradients, axis=1))
    close(flat(found.sum(tf.constant(SHARES))), SHARES @ gradients)


def test_products_with_a_direction(case):
    network, inputs, gradients = case
    direction = [tf.random.normal(one.shape, seed=1) for one in network.trainable_variables]
    found = RecordGradients(network, inputs, losses).along(direction, tf.constant(SHARES))
    close(found, SHARES * (gradients @ flat(direction)))


@pytest.mark.parametrize("held", [None, 1])
def test_products_with_each_other(case, held, monkeypatch):
    if held is not None:
        monkeypatch.setattr(record_gradients, "_HELD", held)
    network, inputs, gradients = case
    found = RecordGradients(network, inputs, losses)
    scaled = SHARES[:, None] * gradients
    close(found.products(tf.constant(SHARES)), scaled @ scaled.T)
    weights = np.linspace(0.5, 3.0, len(network.trainable_variables)).astype(np.float32)
    spread = [
        np.full(one.shape, weight)
        for one, weight in zip(network.trainable_variables, weights, strict=True)
    ]
    close(found.products(tf.constant(SHARES), list(weights)), scaled * flat(spread) @ scaled.T)


def test_what_is_not_finite_counts_nothing_where_its_share_is_0(case):
    network, inputs, gradients = case
    spoilt = tf.nest.map_structure(lambda one: one.numpy(), inputs)
    (spoilt[0] if isinstance(spoilt, list) else spoilt)[2] = np.nan
    found = RecordGradients(network, tf.nest.map_structure(tf.constant, spoilt), losses)
    shares, scaled = tf.constant(SHARES), SHARES[:, None] * gradients
    direction = [tf.ones(one.shape) for one in network.trainable_variables]
    close(flat(found.sum(shares)), scaled.sum(axis=0))
    close(found.along(direction, shares), scaled.sum(axis=1))
    close(found.products(shares), scaled @ scaled.T)
