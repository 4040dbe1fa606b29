"""Randomised smoothing: known radii of a linear classifier, bounds of counts, abstention."""

import keras
import numpy as np
import pytest
from scipy import stats

from kgan.certificates import ABSTAINED, SmoothedClassifier, certified_accuracy
from kgan.certificates.smoothing import lower_bound


def linear(weight, bias):
    model = keras.Sequential([keras.Input((len(weight),)), keras.layers.Dense(2)])
    kernel = np.stack([np.zeros_like(weight), weight], axis=1)
    model.set_weights([kernel, np.array([0.0, bias])])
    return model


def test_the_radius_of_a_linear_classifier_is_its_distance_to_the_border():
    # Under Gaussian noise a half-space has probability Phi(distance / sigma): the smoothed
    # classifier's radius is the distance itself.
    weight = np.array([3.0, 4.0], np.float32)
    model = linear(weight, -3.5)
    images = np.random.default_rng(0).uniform(size=(30, 2)).astype("float32")
    signed = (images @ weight - 3.5) / 5.0
    smoothed = SmoothedClassifier(model, 0.25, batch_size=1000)
    classes, radii = smoothed.certify(images, n=20_000)
    decided = classes != ABSTAINED
    assert (classes[decided] == (signed > 0)[decided]).all()
    # Never above the truth (each with a chance of .001), and near to it.
    assert (radii <= np.abs(signed)).all()
    near = decided & (np.abs(signed) < 0.5)
    assert near.sum() > 15
    np.testing.assert_allclose(radii[near], np.abs(signed[near]), atol=0.03)
    # Only what lies close to the border is left undecided.
    assert (np.abs(signed[~decided]) < 0.01).all()


def test_the_largest_radius_is_that_of_a_unanimous_vote():
    model = linear(np.array([100.0, 0.0], np.float32), 1e6)
    classes, radii = SmoothedClassifier(model, 0.5).certify(np.full((1, 2), 0.5, "float32"), n=1000)
    assert classes[0] == 1
    assert radii[0] == pytest.approx(0.5 * stats.norm.ppf(0.001 ** (1 / 1000)))


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (1, 10), (7, 10), (10, 10), (9990, 10_000)])
def test_the_lower_bound_leaves_alpha_above(hits, n):
    bound = float(lower_bound(np.array(hits), n, 0.01))
    if hits == 0:
        assert bound == 0.0
    else:
        # At the bound, as many hits or more have probability alpha.
        assert stats.binom.sf(hits - 1, n, bound) == pytest.approx(0.01, rel=1e-6)


def test_votes_are_counted_and_repeat():
    model = linear(np.array([1.0, 1.0], np.float32), -1.0)
    images = np.array([[0.5, 0.5], [0.9, 0.9]], "float32")
    smoothed = SmoothedClassifier(model, 0.3, batch_size=300)
    votes = smoothed.votes(images, n=1000)
    np.testing.assert_array_equal(votes.sum(axis=1), [1000, 1000])
    np.testing.assert_array_equal(votes, smoothed.votes(images, n=1000))
    assert (
        votes != SmoothedClassifier(model, 0.3, seed=1, batch_size=300).votes(images, n=1000)
    ).any()
    # On the border the votes are even: no answer; far from it there is one.
    np.testing.assert_array_equal(smoothed.predict(images, n=1000), [ABSTAINED, 1])


def test_certified_accuracy_counts_what_is_right_and_far_enough():
    classes = np.array([1, 1, ABSTAINED, 0])
    radii = np.array([0.5, 0.2, 0.0, 0.9])
    found = certified_accuracy(classes, radii, [1, 1, 1, 1], [0.0, 0.3, 0.6])
    np.testing.assert_allclose(found, [0.5, 0.25, 0.0])
    np.testing.assert_allclose(certified_accuracy(classes, radii, [1, 1, 1, 1], 0.3), [0.25])
    # One radius would count for all of them.
    with pytest.raises(ValueError, match="radii must be one for each of the 4 classes"):
        certified_accuracy(classes, radii[:1], [1, 1, 1, 1], [0.3])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda model: SmoothedClassifier(model, 0.0), "sigma must be above 0"),
        (lambda model: SmoothedClassifier(model, float("nan")), "sigma must be above 0"),
        (lambda model: SmoothedClassifier(model, 1.0).certify(np.zeros((1, 2)), alpha=1), "alpha"),
        (lambda model: SmoothedClassifier(model, 1.0).predict(np.full((1, 2), 7.0)), r"\[0, 1\]"),
    ],
)
def test_bad_input(act, message):
    with pytest.raises(ValueError, match=message):
        act(linear(np.array([1.0, 1.0], np.float32), 0.0))
