"""Truncation, directions and projection against what is known."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import kgan.latents
import kgan.random

RANDOM = np.random.default_rng(0)


def test_truncated_latents_have_the_truncated_distribution_and_keep_their_order():
    latents = RANDOM.standard_normal((500, 4)).astype(np.float32)
    for limit in (0.5, 2.0):
        seen = kgan.latents.truncated(tf.constant(latents), limit).numpy()
        inside = scipy.stats.norm.cdf(limit) - scipy.stats.norm.cdf(-limit)
        share = scipy.stats.norm.cdf(-limit) + inside * scipy.stats.norm.cdf(latents.astype(float))
        np.testing.assert_allclose(seen, scipy.stats.norm.ppf(share), atol=2e-5)
    extreme = tf.constant([[-9.0, 0.0, 9.0]])
    np.testing.assert_allclose(kgan.latents.truncated(extreme, 1.0), [[-1, 0, 1]], atol=1e-6)
    with pytest.raises(ValueError, match="truncation of latents must be above 0"):
        kgan.latents.truncated(extreme, 0.0)


def test_principal_directions_are_the_axes_of_a_gaussian():
    axes = np.linalg.qr(RANDOM.standard_normal((3, 3)))[0]
    styles = RANDOM.standard_normal((4000, 3)) * [3.0, 2.0, 0.5] @ axes.T + 7.0
    directions, deviations = kgan.latents.principal(styles, 2)
    np.testing.assert_allclose(np.abs(directions @ axes), [[1, 0, 0], [0, 1, 0]], atol=0.05)
    np.testing.assert_allclose(deviations, [3.0, 2.0], rtol=0.05)


def test_directions_within_classes_of_two_styles_each():
    """What the means of classes take from a deviation is made up for, however few a class has."""
    random = np.random.default_rng(1)
    labels = np.arange(4000) % 2000
    styles = random.standard_normal((4000, 2)) * [3.0, 0.5] + 100.0 * labels[:, None]
    directions, deviations = kgan.latents.principal(styles, 2, labels=labels)
    np.testing.assert_allclose(directions, np.eye(2), atol=0.02)
    np.testing.assert_allclose(deviations, [3.0, 0.5], rtol=0.05)
    # By hand: classes (0, 2), (10, 14) and (5) have 2 + 8 + 0 over 5 - 3.
    few = np.array([[0.0], [10.0], [2.0], [14.0], [5.0]])
    _, deviations = kgan.latents.principal(few, 1, labels=[0, 1, 0, 1, 2])
    np.testing.assert_allclose(deviations, [5.0**0.5], rtol=1e-6)
    with pytest.raises(ValueError, match="styles must be more than their classes, got 2 of 2"):
        kgan.latents.principal(few[:2], 1, labels=[0, 1])
    with pytest.raises(ValueError, match=r"labels must have the shape \(5,\), got \(1,\)"):
        kgan.latents.principal(few, 1, labels=[0])


def test_deviations_along_directions_of_more_values_than_there_are_styles():
    """Within classes, against the covariance of a class in numpy."""
    random = np.random.default_rng(2)
    labels = np.repeat([0, 1], 50)
    styles = random.standard_normal((100, 300)) + 9.0 * labels[:, None]
    directions = np.linalg.qr(random.standard_normal((300, 4)))[0].T
    seen = kgan.latents.deviations_along(directions, styles, labels=labels)
    variances = [np.diag(directions @ np.cov(styles[labels == one].T) @ directions.T)
                 for one in (0, 1)]  # fmt: skip
    np.testing.assert_allclose(seen, np.sqrt(np.mean(variances, axis=0)), rtol=1e-5)
    found, deviations = kgan.latents.principal(styles, 5, labels=labels)
    seen = kgan.latents.deviations_along(found, styles, labels=labels)
    np.testing.assert_allclose(seen, deviations, rtol=1e-5)
    with pytest.raises(ValueError, match="styles must be more than their classes, got 2 of 2"):
        kgan.latents.deviations_along(directions, styles[:2], labels=[0, 1])


def test_closed_form_directions_are_sorted_eigenvectors():
    """Rows e1, e1, e1, e2, e2, e3, of any length: their counts are the eigenvalues."""
    first = np.diag([5.0, 2.0, 1.0])
    second = np.array([[9.0, 0.0, 0.1], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    directions, values = kgan.latents.closed_form([first, second], 3)
    np.testing.assert_allclose(directions, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(values, [3.0, 2.0, 1.0], rtol=1e-6)
    with pytest.raises(ValueError, match=r"count must be in \[1, 3\]"):
        kgan.latents.closed_form([first], 4)


def test_a_line_between_classes():
    styles = np.array([[0.0, 0.0], [2.0, 0.0], [5.0, 1.0]])
    step = kgan.latents.mean_difference(styles, [0, 0, 2], 0, 2)
    np.testing.assert_allclose(step, [4.0, 1.0])
    with pytest.raises(ValueError, match="got no 1"):
        kgan.latents.mean_difference(styles, [0, 0, 2], 0, 1)


def test_directions_of_too_few_styles_and_labels_are_refused():
    styles = np.random.default_rng(0).standard_normal((3, 5))
    with pytest.raises(ValueError, match=r"count must be in \[1, 3\], got 4"):
        kgan.latents.principal(styles, 4)
    with pytest.raises(ValueError, match=r"labels must have the shape \(3,\)"):
        kgan.latents.mean_difference(styles, [0, 1], 0, 1)


def test_projection_finds_what_made_an_image_and_takes_the_best_start():
    """Images sin(latent): each start is at a slope or at a summit, where none leads away."""

    def generate(points):
        return tf.reshape(0.5 + 0.5 * tf.sin(points), [-1, 1, 2, 1])

    wanted = np.array([[0.3, -0.4], [0.9, 0.2]], np.float32)
    images = generate(tf.constant(wanted)).numpy()
    starts = np.zeros((2, 2, 2), np.float32)
    starts[0] = np.pi / 2  # A summit: no slope leads away.
    found = kgan.latents.project(generate, images, starts, steps=200, noise=0.0)
    # As x and pi - x are one image.
    np.testing.assert_allclose(np.sin(found.points), np.sin(wanted), atol=0.01)
    np.testing.assert_allclose(found.images, images, atol=0.01)
    assert (found.errors < 1e-4).all()
    assert (found.psnr > 40).all()
    with pytest.raises(ValueError, match=r"starts must have the shape \(restarts, 2"):
        kgan.latents.project(generate, images, starts[:, :1])
    for wrong in (255 * np.float32(images), -1 - np.float32(images), np.float32(images) * np.nan):
        with pytest.raises(ValueError, match=r"images must be in \[0, 1\], got"):
            kgan.latents.project(generate, wrong, starts)
    with pytest.raises(ValueError, match="images must have the shape of generated ones"):
        kgan.latents.project(generate, np.repeat(images, 2, axis=1), starts)


def test_projection_by_features_takes_the_start_that_is_best_by_both():
    """One pixel, whose square is the feature, and points that stay where they start."""
    white = np.full((1, 1, 1, 1), 0.5, np.float32)

    def generate(points):
        return tf.reshape(points[:, :1], [-1, 1, 1, 1])

    # By hand: pixels .01 and .0144 off, features 10 (.36 - .25) and 10 (.1444 - .25), squared.
    starts = np.array([0.6, 0.38], np.float32)[:, None, None]
    options = {"steps": 1, "noise": 0.0, "learning_rate": 1e-7}
    for weight, expected in ((0.0, 0), (0.1, 1)):
        found = kgan.latents.project(
            generate,
            white,
            starts,
            features=lambda images: 10.0 * images[:, 0, 0] ** 2,
            feature_weight=weight,
            **options,
        )
        np.testing.assert_allclose(found.points[0, 0], starts[expected, 0, 0], atol=1e-5)
        np.testing.assert_allclose(found.errors, [(0.01, 0.0144)[expected]], rtol=1e-4)
        np.testing.assert_allclose(found.distances, [(1.21, 1.115136)[expected]], rtol=1e-4)
    assert kgan.latents.project(generate, white, starts, **options).distances is None


def test_projection_clips_what_it_found_but_not_its_gradients():
    """From far below black a clipped image would have no way to white."""
    white = np.ones((1, 2, 2, 1), np.float32)

    def generate(points):
        return tf.reshape(points, [-1, 2, 2, 1])

    start = np.full((1, 1, 4), -0.5, np.float32)
    found = kgan.latents.project(generate, white, start, steps=100, noise=0.0)
    assert found.errors[0] < 1e-4
    dark = kgan.latents.project(generate, white, start, steps=1, noise=0.0, learning_rate=1e-6)
    np.testing.assert_array_equal(dark.images, 0.0)
    assert dark.errors[0] == 1.0


def test_an_encoder_learns_to_invert_a_linear_generator(tmp_path):
    """Of orthogonal rows: its inverse is known, and images outside of its reach do no harm."""
    rng = np.random.default_rng(0)
    matrix = np.linalg.qr(rng.standard_normal((16, 6)))[0].T.astype(np.float32)
    mean = np.array([1.0, -1.0, 0.5], np.float32)

    def synthesize(styles):
        return tf.reshape(tf.reshape(styles, [-1, 6]) @ matrix, [-1, 4, 4, 1])

    def draw(seed, n):
        return mean + 0.5 * kgan.random.stateless_normal(seed, [n, 2, 3])

    images = keras.Input((4, 4, 1))
    flat = keras.layers.Dense(6, kernel_initializer="zeros")(keras.layers.Flatten()(images))
    network = keras.Model(images, keras.layers.Reshape((2, 3))(flat))
    encoder = kgan.latents.Encoder(network, mean, np.full(3, 0.5))
    assert encoder.style_shape == (2, 3)
    noise = rng.integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
    options = {"images": noise, "learning_rate": 0.1, "style_weight": 0.1, "batch_size": 16}
    errors = kgan.latents.train_encoder(encoder, synthesize, draw, steps=600, **options)
    styles = draw(kgan.random.step_seed(1, 0, "other"), 5)
    np.testing.assert_allclose(encoder(synthesize(styles)), styles, atol=0.02)
    # What no style can give of the noise stays, over both halves of a batch.
    flat_noise = noise.reshape(8, 16) / 255.0
    left = flat_noise - flat_noise @ matrix.T @ matrix
    assert errors[-50:].mean() == pytest.approx((left**2).mean() / 2, rel=0.1)
    encoder.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(again(synthesize(styles)), encoder(synthesize(styles)))
    with pytest.raises(ValueError, match="steps must be at least 1"):
        kgan.latents.train_encoder(encoder, synthesize, draw, steps=0)
