"""Weights of classes and adjusted logits against their formulas."""

import keras
import numpy as np
import pytest

from kgan.losses import RareClassCrossentropy, effective_weights

COUNTS = [4000, 100, 10]


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.9999, 1.0])
def test_weights_by_effective_numbers(beta):
    n = np.array(COUNTS, float)
    raw = 1 / n if beta == 1 else (1 - beta) / (1 - beta**n)
    np.testing.assert_allclose(
        effective_weights(COUNTS, beta=beta), raw * 3 / raw.sum(), rtol=1e-10
    )


def test_few_samples_count_one_by_one():
    """For n far below 1 / (1 - beta) the weights are those of 1 / n."""
    near, limit = (effective_weights([30, 20, 10], beta=beta) for beta in (1 - 1e-9, 1.0))
    np.testing.assert_allclose(near, limit, rtol=1e-6)
    np.testing.assert_allclose(limit, np.array([2, 3, 6]) * 3 / 11)


def test_a_class_without_samples_has_no_weight():
    np.testing.assert_allclose(effective_weights([8, 0, 4], beta=1.0), [2 / 3, 0, 4 / 3])


@pytest.mark.parametrize(
    ("weights", "adjustment"), [(None, 1.0), ([0.5, 1.0, 1.5], 0.0), ([0.5, 1.0, 1.5], 0.7)]
)
def test_the_loss_is_its_formula(weights, adjustment):
    random = np.random.default_rng(0)
    logits = random.normal(size=(20, 3))
    labels = random.integers(0, 3, 20)
    shares = np.array(COUNTS) / sum(COUNTS)
    moved = logits + adjustment * np.log(shares)
    logs = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
    own = -logs[np.arange(20), labels]
    expected = np.mean(own if weights is None else np.array(weights)[labels] * own)
    loss = RareClassCrossentropy(COUNTS, weights=weights, adjustment=adjustment)
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert float(again(labels[:, None], logits)) == pytest.approx(expected, rel=1e-5)


def test_adjusted_logits_are_those_of_even_classes():
    """Where nothing but the class's share is known, the best logits of the plain loss are its
    logarithm; of the adjusted one they are all alike, so no class is preferred."""
    labels = np.repeat([0, 1, 2], [90, 9, 1])
    loss = RareClassCrossentropy([90, 9, 1], adjustment=1.0)
    flat, tilted = np.zeros((100, 3)), np.tile(np.log([0.9, 0.09, 0.01]), (100, 1))
    assert float(loss(labels, flat)) < float(loss(labels, tilted))
    entropy = -np.sum(np.array([0.9, 0.09, 0.01]) * np.log([0.9, 0.09, 0.01]))
    assert float(loss(labels, flat)) == pytest.approx(entropy, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: effective_weights([1, -1]), "counts must be numbers of samples"),
        (lambda: effective_weights([3, 4], beta=1.5), r"beta must be in \[0, 1\], got 1.5"),
        (lambda: RareClassCrossentropy([3]), "two classes or more"),
        (lambda: RareClassCrossentropy([3, 0]), "each of a sample at least"),
        (lambda: RareClassCrossentropy([3, 4], weights=[1]), "one for each of the 2 classes"),
    ],
)
def test_mistakes(make, told):
    with pytest.raises(ValueError, match=told):
        make()
