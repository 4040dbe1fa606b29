"""SMOTE: each new point lies on the way between a sample and a near one of its class."""

import numpy as np
import pytest

from kgan.data import smote


def test_new_points_lie_between_neighbours():
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 3)).astype(np.float32)
    labels = np.repeat([0, 1], [50, 10])
    features[labels == 1] += 100.0
    wanted = np.array([1, 0, 1, 1, 0] * 8)
    made = smote(features, labels, wanted, neighbours=2, seed=3)
    assert made.dtype == np.float32
    for point, label in zip(made.astype(float), wanted, strict=True):
        own = features[labels == label].astype(float)
        apart = np.linalg.norm(own[:, None] - own, axis=2)
        near = np.argsort(apart, axis=1)[:, 1:3]
        # On the segment from a to b: |a - p| + |p - b| = |a - b|.
        detours = [
            np.linalg.norm(a - point) + np.linalg.norm(point - own[j]) - np.linalg.norm(a - own[j])
            for a, row in zip(own, near, strict=True)
            for j in row
        ]
        assert min(detours) < 1e-3
    np.testing.assert_array_equal(made, smote(features, labels, wanted, neighbours=2, seed=3))


def test_a_pair_is_enough_even_if_both_are_the_same():
    features = np.zeros((2, 2))
    made = smote(features, np.zeros(2, int), np.zeros(3, int))
    np.testing.assert_array_equal(made, np.zeros((3, 2)))


def test_mistakes():
    with pytest.raises(ValueError, match="class 1 must have two samples for SMOTE, has 1"):
        smote(np.zeros((3, 2)), np.array([0, 0, 1]), np.array([1]))
    with pytest.raises(ValueError, match="neighbours must be at least 1, got 0"):
        smote(np.zeros((3, 2)), np.zeros(3, int), np.zeros(1, int), neighbours=0)
