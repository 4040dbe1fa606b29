"""Attacks on one image of a linear classifier, whose answers are known."""

import keras
import numpy as np
import pytest

from kgan.robustness import one_image

SHAPE = (4, 4, 1)


@pytest.fixture(scope="module")
def halves():
    """Logits are the sums of the left and of the right half."""
    weights = np.zeros((4, 4, 1, 2), np.float32)
    weights[:, :2, :, 0] = weights[:, 2:, :, 1] = 1.0
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.set_weights([weights.reshape(16, 2), np.zeros(2)])
    return one_image.attacked(model, "halves", ("left", "right"))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_one_step_is_the_steepest_in_its_norm(halves, norm):
    """The gap between the logits falls by epsilon times the dual norm of its gradient, +-1."""
    image = np.full((1, *SHAPE), 0.5, np.float32)
    image[:, :, :2] += 0.05
    epsilon = {"linf": 0.1, "l2": 0.4, "l1": 0.48}[norm]
    changed, before, after = halves.attack(image, epsilon, "fgsm", norm)
    dual = {"linf": 16, "l2": 4, "l1": 1}[norm]
    for shares, gap in ((before, 0.4), (after, 0.4 - epsilon * dual)):
        np.testing.assert_allclose(shares[0], 1 / (1 + np.exp(-gap)), atol=1e-5)
    moved = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    assert np.linalg.norm((changed - image).ravel(), moved) <= epsilon + 1e-5


def test_every_attack_that_is_offered_stays_in_its_ball(halves):
    image = np.full((1, *SHAPE), 0.5, np.float32)
    image[:, :, :2] += 0.05
    assert list(halves.attacks) == list(one_image.ATTACKS)
    for name in ("mifgsm", "noise"):
        changed, _, after = halves.attack(image, 0.1, name, "linf")
        assert np.abs(changed - image).max() <= 0.1 + 1e-6
        assert after.sum() == pytest.approx(1, abs=1e-5)
    same, before, after = halves.attack(image, 0.0, "pgd", "l2")
    assert same is image
    assert before is after


def test_radii_are_half_of_the_range_and_half_as_long():
    assert one_image.widest_radii((8, 8, 1)) == {"linf": 0.5, "l2": 2.0, "l1": 16.0}


@pytest.mark.parametrize(
    ("model", "names", "message"),
    [
        (keras.Sequential([keras.Input((None, 4, 1)), keras.layers.Flatten()]), (), "one size"),
        (
            keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)]),
            ("a",),
            "class_names must be 2, got 1",
        ),
    ],
)
def test_what_cannot_be_attacked_is_refused(model, names, message):
    with pytest.raises(ValueError, match=message):
        one_image.attacked(model, "mine", names)
