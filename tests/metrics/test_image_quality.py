"""PSNR and SSIM against closed forms and TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from kgan.metrics.image_quality import MOST_DECIBELS, psnr, ssim

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.random((3, 20, 24, 3)).astype(np.float32)
IMAGES = np.clip(TRUTH + RANDOM.normal(0, 0.1, TRUTH.shape), 0, 1).astype(np.float32)


def test_psnr_is_tensorflows_and_has_a_closed_form():
    np.testing.assert_allclose(psnr(IMAGES, TRUTH), tf.image.psnr(IMAGES, TRUTH, 1.0), rtol=1e-5)
    flat = np.full((2, 4, 4, 1), 0.5)
    np.testing.assert_allclose(psnr(flat, flat + 0.1), 20.0)
    assert psnr(flat, flat).tolist() == [MOST_DECIBELS] * 2


def test_psnr_of_some_places():
    where = np.zeros((3, 20, 24, 1))
    where[:, 5:10, 2:9] = 1
    inside = psnr(IMAGES[:, 5:10, 2:9], TRUTH[:, 5:10, 2:9])
    np.testing.assert_allclose(psnr(IMAGES, TRUTH, where), inside)
    assert psnr(IMAGES, TRUTH, 0 * where).tolist() == [MOST_DECIBELS] * 3


def test_ssim_is_tensorflows():
    expected = tf.image.ssim(tf.cast(IMAGES, tf.float64), tf.cast(TRUTH, tf.float64), 1.0)
    np.testing.assert_allclose(ssim(IMAGES, TRUTH), expected, atol=1e-6)
    np.testing.assert_allclose(ssim(TRUTH, TRUTH), 1)


@pytest.mark.parametrize("side", [4, 8, 11, 16])
def test_ssim_of_flat_images_is_that_of_their_means(side):
    a, b = (np.full((1, side, side, 1), value) for value in (0.3, 0.5))
    expected = (2 * 0.15 + 1e-4) / (0.09 + 0.25 + 1e-4)
    np.testing.assert_allclose(ssim(a, b), expected)
