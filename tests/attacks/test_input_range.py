"""Whether a model seems to take another range, on classifiers whose answers are known."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import FGSM, Victim, victim_of
from kgan.attacks.input_range import misfit
from kgan.robustness import evaluate

LABELS = np.arange(60) % 2
# The second class is bright: a mean of 0.7, against 0.3.
IMAGES = np.broadcast_to((0.3 + 0.4 * LABELS).reshape(-1, 1, 1, 1), (60, 4, 4, 1)).astype("float32")


def bright(low, high):
    """Tells bright images from dark ones, given in [low, high]."""
    dense = keras.layers.Dense(2)
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Rescaling(1 / (high - low), -low / (high - low)),
            keras.layers.Flatten(),
            dense,
        ]
    )
    dense.set_weights([np.tile([[0.0, 1 / 16]], (16, 1)), np.array([0.0, -0.5])])
    return model


@pytest.mark.parametrize("bounds", [(0, 255), (-1, 1)])
def test_an_evaluation_stops_and_an_attack_warns_once(bounds):
    model = bright(*bounds)
    low, high = bounds
    said = rf"50\.0% .* 100\.0% .*--input-range {low} {high}.*bounds=\({low}, {high}\)"
    with pytest.raises(ValueError, match=said):
        evaluate(model, IMAGES, LABELS, attacks=[FGSM(0.1)], find_masking=False)
    again = bright(*bounds)
    with pytest.warns(UserWarning, match=r"clean accuracy .* your model seems to take"):
        FGSM(0.1).run(again, IMAGES, LABELS)
    FGSM(0.1).run(again, IMAGES, LABELS)
    report = evaluate(
        Victim(model, bounds=bounds), IMAGES, LABELS, attacks=[FGSM(0.1)], find_masking=False
    )
    # The classes are 0.2 from the border.
    assert report.clean.robust_accuracy == report.rows[0].robust_accuracy == 1.0
    assert any(f"[{low:g}, {high:g}]" in text for text in report.assumptions)


def test_of_two_ranges_that_fit_the_better_one_is_named():
    """Bright is above 0 for values up to 10, and above 150 for larger ones."""
    large = keras.layers.Lambda(lambda values: tf.where(values > 10.0, values - 150.0, values))
    dense = keras.layers.Dense(2, use_bias=False)
    model = keras.Sequential([keras.Input((4, 4, 1)), large, keras.layers.Flatten(), dense])
    dense.set_weights([np.tile([[0.0, 1.0]], (16, 1))])
    # Both are right of all images: the narrower one.
    text = misfit(victim_of(model, IMAGES), IMAGES, LABELS)
    assert "100.0% in [0, 255]: your model seems to take -1..1." in text
    # Less dark images, of 140 in 0..255, are above 0 in -1..1.
    images = IMAGES.copy()
    images[:8:2] = 0.55
    text = misfit(victim_of(model, images), images, LABELS)
    assert "93.3% in [-1, 1]: your model seems to take 0..255." in text


def test_without_labels_a_single_class_is_suspicious():
    settings = {"attacks": [FGSM(0.01)], "find_masking": False}
    report = evaluate(bright(0, 255), IMAGES, **settings)
    assert any("100% of the images get one class" in text for text in report.assumptions)
    report = evaluate(bright(0, 1), IMAGES, **settings)
    assert not any("get one class" in text for text in report.assumptions)


def test_nothing_is_said_where_nothing_is_known():
    right = bright(0, 1)
    assert misfit(victim_of(right, IMAGES), IMAGES, LABELS) is None
    wrong = bright(0, 255)
    assert misfit(victim_of(wrong, IMAGES), IMAGES, LABELS) is not None
    # Few images, a range that was declared, and labels that no range makes right.
    assert misfit(victim_of(wrong, IMAGES), IMAGES[:7], LABELS[:7]) is None
    asked = victim_of(Victim(wrong, bounds=(0, 1)), IMAGES)
    assert misfit(asked, IMAGES, LABELS) is None
    chance = np.random.default_rng(0).integers(0, 2, 60)
    assert misfit(victim_of(wrong, IMAGES), IMAGES, chance) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FGSM(0.1).run(bright(0, 255), IMAGES[:5], LABELS[:5])
