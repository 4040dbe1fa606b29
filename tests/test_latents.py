"""Truncation, directions and projection against what is known."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import kgan.latents

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
    with pytest.raises(ValueError, match="limit must be above 0"):
        kgan.latents.truncated(extreme, 0.0)


def test_principal_directions_are_the_axes_of_a_gaussian():
    axes = np.linalg.qr(RANDOM.standard_normal((3, 3)))[0]
    styles = RANDOM.standard_normal((4000, 3)) * [3.0, 2.0, 0.5] @ axes.T + 7.0
    directions, deviations = kgan.latents.principal(styles, 2)
    np.testing.assert_allclose(np.abs(directions @ axes), [[1, 0, 0], [0, 1, 0]], atol=0.05)
    np.testing.assert_allclose(deviations, [3.0, 2.0], rtol=0.05)


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
