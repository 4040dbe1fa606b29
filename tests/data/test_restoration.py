"""Damage to images: what each task does, from closed forms, and that it repeats exactly."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage

import kgan.data
import kgan.random
from kgan.data import TASKS, Dataset, task
from kgan.kinds import Images

IMAGES = np.random.default_rng(0).random((5, 16, 24, 3), dtype=np.float32)


def seed(step=0):
    return kgan.random.step_seed(3, step, "damage")


def data(images=IMAGES):
    return Dataset("some", images)


@pytest.mark.parametrize("name", TASKS)
def test_damage_is_a_function_of_image_seed_and_step(name):
    one = task(name)
    kind = one.input_kind(Images(16, 24, 3))
    found = one(tf.constant(IMAGES), seed())
    assert found.shape == (5, *kind.shape)
    assert found.dtype == tf.float32
    assert 0 <= np.min(found) < np.max(found) <= 1 + 1e-6
    # In a graph, and in a batch with other images behind, it is the same.
    again = tf.function(one)(tf.constant(IMAGES), seed())
    np.testing.assert_allclose(found, again, atol=1e-6)
    answer = one.answer(found.numpy(), 3)
    assert answer.shape == IMAGES.shape
    # A stream that is entered later sees the same damage.
    feed = kgan.data.feed_damaged(data(), one, 2, seed=1, flip=True, crop=(8, 8))
    later = kgan.data.feed_damaged(data(), one, 2, seed=1, flip=True, crop=(8, 8), start=3)
    for batch, other in zip(feed.skip(3).take(2), later.take(2), strict=True):
        for ours, theirs in zip(batch, other, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    pairs = kgan.data.damaged(data(), one)
    assert pairs.a.kind == kind
    np.testing.assert_array_equal(pairs.b.samples, IMAGES)
    np.testing.assert_array_equal(pairs.a.samples, kgan.data.damaged(data(), one).a.samples)


def test_a_hole_in_the_middle():
    found = task("inpaint")(tf.constant(IMAGES), seed()).numpy()
    known = np.ones((16, 24), np.float32)
    known[4:12, 6:18] = 0
    np.testing.assert_array_equal(found[..., 3], np.broadcast_to(known, (5, 16, 24)))
    np.testing.assert_array_equal(found[:, :4, :, :3], IMAGES[:, :4])
    assert (found[:, 4:12, 6:18, :3] == 0.5).all()
    answer = task("inpaint").answer(found, 3)
    mean = IMAGES[0][known.astype(bool)].mean(axis=0)
    np.testing.assert_allclose(answer[0, 7, 9], mean, atol=1e-5)
    np.testing.assert_array_equal(answer[:, 0], IMAGES[:, 0])
    # RGBA with transparent holes, as a file has it.
    assert task("inpaint").input_kind(Images(16, 24, 3)).has_opacity


def test_random_holes_differ_between_images_and_steps():
    one = task("inpaint", mask="random")
    known = np.stack([one(tf.constant(IMAGES), seed(step))[..., 3] for step in range(20)])
    flat = known.reshape(100, -1)
    assert len(np.unique(flat, axis=0)) == 100
    share = 1 - flat.mean(axis=1)
    assert share.min() >= 2 * 3 / (16 * 24)
    assert share.max() <= 3 / 4
    # Every pixel is hidden somewhere, borders too.
    assert not flat.all(axis=0).any()


def test_noise_has_its_strength():
    grey = np.full((4, 64, 64, 3), 0.5, np.float32)
    found = task("denoise", strength=0.1)(tf.constant(grey), seed()).numpy()
    # 49,152 values: the standard error of their deviation is 0.0003.
    assert np.std(found) == pytest.approx(0.1, abs=0.001)
    assert found.mean() == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("strength", [0.7, 1.6, 9.0])
def test_blur_is_scipys(strength):
    found = task("deblur", strength=strength)(tf.constant(IMAGES), seed()).numpy()
    reach = int(np.ceil(3 * strength))
    expected = ndimage.gaussian_filter(
        IMAGES.astype(np.float64),
        (0, strength, strength, 0),
        mode="reflect",
        radius=(0, reach, reach, 0),
    )
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_smaller_images_are_means():
    found = task("super-resolve", factor=4)(tf.constant(IMAGES), seed()).numpy()
    expected = IMAGES.astype(np.float64)[2, 4:8, 8:12].mean(axis=(0, 1))
    np.testing.assert_allclose(found[2, 1, 2], expected, atol=1e-6)
    flat = np.full((1, 4, 4, 1), 0.3, np.float32)
    np.testing.assert_allclose(task("super-resolve").answer(flat, 1), 0.3, atol=1e-6)


def test_grey_and_edges():
    luma = IMAGES.astype(np.float64) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(
        task("colourise")(tf.constant(IMAGES), seed())[..., 0], luma, atol=1e-6
    )
    step = np.zeros((1, 6, 6, 1), np.float32)
    step[:, :, 3:] = 1
    found = task("edges")(tf.constant(step), seed()).numpy()[0, :, :, 0]
    np.testing.assert_allclose(found, np.tile([0, 0, 1, 1, 0, 0], (6, 1)), atol=1e-6)


def test_jpeg_is_pillows():
    smooth = ndimage.gaussian_filter(IMAGES, (0, 2, 2, 0))
    found = task("de-jpeg", quality=30)(tf.constant(smooth), seed()).numpy()
    file = io.BytesIO()
    Image.fromarray(np.round(smooth[1] * 255).astype(np.uint8)).save(file, "JPEG", quality=30)
    expected = np.asarray(Image.open(file)) / 255
    assert np.abs(found[1] - expected).mean() < 0.01
    assert np.abs(found[1] - smooth[1]).mean() > 0.01


@pytest.mark.parametrize(
    ("name", "options", "shape", "message"),
    [
        ("in-paint", {}, (8, 8, 3), "task must be one of inpaint, .* Did you mean 'inpaint'"),
        ("denoise", {"mask": "centre"}, (8, 8, 3), "mask must be left out for the task denoise"),
        ("edges", {"factor": 2}, (8, 8, 3), "which takes no option, got 2"),
        ("inpaint", {"mask": "left"}, (8, 8, 3), "mask must be one of centre, random"),
        ("super-resolve", {"factor": 3}, (9, 9, 3), "factor must be 2 or 4, got 3"),
        ("super-resolve", {"factor": 4}, (6, 8, 3), "sides are divisible by 4, got 6x8"),
        ("colourise", {}, (8, 8, 1), r"needs colour images, got 1 channel"),
        ("de-jpeg", {}, (8, 8, 4), "needs grey or colour images, got 4 channels"),
        ("de-jpeg", {"quality": 0}, (8, 8, 3), r"quality must be in \[1, 100\], got 0"),
        ("denoise", {"strength": 0.0}, (8, 8, 3), "strength must be above 0"),
    ],
)
def test_what_cannot_be_damaged(name, options, shape, message):
    with pytest.raises(ValueError, match=message):
        kgan.data.damaged(data(np.zeros((3, *shape), np.uint8)), task(name, **options))
    with pytest.raises(ValueError, match="must be images, got points"):
        kgan.data.damaged(Dataset("p", np.zeros((3, 2), np.float32)), task("inpaint"))
