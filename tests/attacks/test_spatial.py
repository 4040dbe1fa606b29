import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import Spatial
from kgan.attacks.spatial import transform

IMAGES = np.random.default_rng(0).uniform(size=(2, 9, 9, 2)).astype("float32")


def apply(**settings):
    names = ("angle", "down", "right", "crop", "top", "left", "side")
    row = tf.constant([settings.get(name, 0.0) for name in names], tf.float32)
    return transform(tf.constant(IMAGES), row).numpy()


def test_nothing_is_the_identity():
    np.testing.assert_allclose(apply(), IMAGES, atol=1e-6)


def test_shift():
    want = np.zeros_like(IMAGES)
    want[:, 2:, :-1] = IMAGES[:, :-2, 1:]
    np.testing.assert_allclose(apply(down=2, right=-1), want, atol=1e-6)


def test_a_quarter_turn_is_exact():
    np.testing.assert_allclose(apply(angle=np.pi / 2), np.rot90(IMAGES, axes=(2, 1)), atol=1e-4)


def test_crop_zooms_into_the_middle():
    # Half the side: every second output pixel is an input pixel.
    np.testing.assert_allclose(apply(crop=0.5)[:, ::2, ::2], IMAGES[:, 2:7, 2:7], atol=1e-6)


def test_occlusion():
    want = IMAGES.copy()
    want[:, 3:5, 6:8] = 0.0
    np.testing.assert_allclose(apply(top=3, left=6, side=2), want, atol=1e-6)


def test_the_grid_starts_with_nothing_and_grows():
    grid = Spatial(rotation=20, shift=2, crop=0.1, occlusion=0.25, points=3).grid(8, 8)
    assert len(grid) == 27 + 2 + 9
    np.testing.assert_array_equal(grid[0], 0.0)
    severity = np.abs(grid[:, 0]) / np.deg2rad(20) + np.abs(grid[:, 1:3]).sum(axis=1) / 2
    moves = severity[grid[:, 3:].sum(axis=1) == 0]
    assert np.all(np.diff(moves) >= -1e-6)


def test_the_mildest_that_fools_is_kept(model, some):
    images, labels = some
    small = Spatial(rotation=0, shift=2, crop=0, occlusion=0, points=5)
    result = small.run(model, images, labels)
    first = np.full(len(images), -1)
    for i, row in reversed(list(enumerate(small.grid(8, 8)))):
        moved = transform(tf.constant(images), tf.constant(row))
        first[model(moved).numpy().argmax(axis=1) != labels] = i
    np.testing.assert_array_equal(result.success, first >= 0)


def test_wrong_settings():
    with pytest.raises(ValueError, match="points must be odd"):
        Spatial(points=4)
    with pytest.raises(ValueError, match="rotation must be in"):
        Spatial(rotation=270)
