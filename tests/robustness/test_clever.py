"""CLEVER: exact for linear classifiers, between attack and margin elsewhere."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.robustness.clever import _in_ball, clever


def linear():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    images = np.random.default_rng(0).uniform(size=(12, 5)).astype("float32")
    return model, images


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2), ("l1", np.inf)])
def test_a_linear_classifiers_score_is_its_distance(norm, dual):
    model, images = linear()
    radius = 1.0 if norm == "linf" else 5.0
    found = clever(model, images, norm=norm, radius=radius, batches=3, batch_size=4)
    kernel, bias = model.get_weights()
    logits = images @ kernel + bias
    for row, label in enumerate(logits.argmax(1)):
        distances = [
            (logits[row, label] - logits[row, other])
            / np.linalg.norm(kernel[:, label] - kernel[:, other], ord=dual)
            for other in range(3)
            if other != label
        ]
        assert found[row] == pytest.approx(min(*distances, radius), rel=1e-4)


def test_no_score_exceeds_the_radius_and_wrong_images_have_none():
    model, images = linear()
    labels = model.predict(images, verbose=0).argmax(1)
    options = {"batches": 2, "batch_size": 4}
    np.testing.assert_allclose(clever(model, images, labels, radius=1e-3, **options), 1e-3)
    assert (clever(model, images, (labels + 1) % 3, **options) == 0).all()


def test_a_curved_classifiers_score_lies_near_its_distance():
    # Class 1 where the sum of squares exceeds 1. The margin's gradient is largest at the far end of
    # the ball, so the estimate lies below the distance to the border.
    inputs = keras.Input((2,))
    square = keras.layers.Lambda(lambda x: keras.ops.sum(x * x, axis=1, keepdims=True) - 1.0)(
        inputs
    )
    model = keras.Model(inputs, keras.layers.Concatenate()([-square, square]))
    images = np.array([[0.5, 0.0], [0.8, 0.0]], "float32")
    found = clever(model, images, radius=0.5, batches=60, batch_size=64)
    # Margin 2 (1 - r^2), largest gradient of the margin 4 (r + 0.5).
    expected = (1 - images[:, 0] ** 2) / (2 * (images[:, 0] + 0.5))
    np.testing.assert_allclose(found, np.minimum(expected, 0.5), rtol=0.03)


@pytest.mark.parametrize(("norm", "order"), [("linf", np.inf), ("l2", 2), ("l1", 1)])
def test_points_fill_the_ball_evenly(norm, order):
    points = _in_ball(tf.constant([1, 2]), [20_000, 3], norm).numpy()
    lengths = np.linalg.norm(points, ord=order, axis=1)
    assert lengths.max() <= 1 + 1e-6
    # Of an even ball of three dimensions, radius^3 is uniform.
    np.testing.assert_allclose(
        np.quantile(lengths**3, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.02
    )
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=0.02)


def test_bad_input():
    model, images = linear()
    with pytest.raises(ValueError, match="norm must be one of"):
        clever(model, images, norm="l3")
    with pytest.raises(ValueError, match="batches must be a whole number of at least 2"):
        clever(model, images, batches=1)
