import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import MomentumPGD, example_random
from kgan.attacks.momentum_pgd import _smooth, _unit
from kgan.attacks.norms import random_change

IMAGES = np.random.default_rng(0).uniform(0.5, 1, size=(200, 10, 10, 2)).astype("float32")
KEYS = example_random.example_keys(0, tf.range(200))


def test_copies_are_made_with_their_probability_and_fit_inside():
    attack = MomentumPGD(diversity=0.4, shrink=0.6)
    copies = attack._copy(tf.constant(IMAGES), KEYS, 0).numpy()
    changed = np.abs(copies - IMAGES).reshape(200, -1).max(axis=1) > 1e-6
    assert abs(changed.mean() - 0.4) < 5 * np.sqrt(0.24 / 200)
    # Shrunk to between 0.6 and 1 of the side, nothing cut off: the black share says the size.
    seen = (copies[changed] > 0.25).mean(axis=(1, 2, 3))
    assert seen.min() > 0.55**2
    assert seen.max() <= 1.0
    assert seen.std() > 0.05


def test_a_copy_of_full_size_is_the_image():
    attack = MomentumPGD(diversity=1.0, shrink=1.0)
    np.testing.assert_allclose(attack._copy(tf.constant(IMAGES), KEYS, 3), IMAGES, atol=1e-6)


@pytest.mark.parametrize("shrink", [0.9, 0.5])
def test_a_copy_and_its_gradient_are_exact(shrink):
    """A linear map A has the gradient A^T; this one acts on rows and on columns apart."""
    images, keys = tf.constant(IMAGES[:20, :, :7]), KEYS[:20]
    upstream = np.random.default_rng(1).normal(size=images.shape).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        copies = MomentumPGD(diversity=0.7, shrink=shrink)._copy(images, keys, 2)
        value = tf.reduce_sum(copies * upstream)
    want, want_gradient = [], []
    draws = example_random.uniform(keys, (4,), "copy", 2).numpy().astype(float)
    for image, up, (chance, size, *shares) in zip(
        images.numpy().astype(float), upstream.astype(float), draws, strict=True
    ):
        size = shrink + (1 - shrink) * size if chance < 0.7 else 1.0
        maps = []
        for side, share in zip(image.shape[:2], shares, strict=True):
            places = (np.arange(side) - share * side * (1 - size)) / size
            # Each pixel alone, with black around it.
            around = np.pad(np.eye(side), ((0, 0), (1, 1)))
            maps.append([np.interp(places, np.arange(-1, side + 1), one) for one in around])
        want.append(np.einsum("hi,wj,hwc->ijc", *maps, image))
        want_gradient.append(np.einsum("hi,wj,ijc->hwc", *maps, up))
    np.testing.assert_allclose(copies, want, atol=1e-5)
    error = tape.gradient(value, images).numpy() - want_gradient
    assert np.linalg.norm(error) < 1e-5 * np.linalg.norm(want_gradient)


def test_smoothing_spreads_each_channel_alone():
    gradient = np.zeros((1, 9, 9, 2), "float32")
    gradient[0, 4, 4, 1] = 1.0
    smooth = _smooth(tf.constant(gradient), 5).numpy()[0]
    assert np.all(smooth[..., 0] == 0)
    assert smooth[..., 1].sum() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(smooth[..., 1], smooth[..., 1].T, atol=1e-7)
    bell = np.exp(-0.5 * np.array([-3, -1.5, 0, 1.5, 3]) ** 2)
    np.testing.assert_allclose(smooth[4, 2:7, 1] / smooth[4, 4, 1], bell, atol=1e-5)


def test_wrong_settings():
    with pytest.raises(ValueError, match="translation must be odd or 0, got 4"):
        MomentumPGD(translation=4)
    for shrink in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"shrink must be in \(0, 1\], got"):
            MomentumPGD(diversity=1.0, shrink=shrink)
    with pytest.raises(ValueError, match=r"diversity must be in \[0, 1\], got 2"):
        MomentumPGD(diversity=2)


def gradient_of(model, images, labels):
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(images))
    return tape.gradient(loss, images).numpy()


def one(gradient):
    return gradient / np.abs(gradient).sum(axis=(1, 2, 3), keepdims=True)


def test_nesterov_and_scales_are_plain_loops(model, some):
    images, labels = some
    want, momentum = images, np.zeros_like(images)
    for _ in range(4):
        # The momentum is in units of the mean size of a gradient, over 64 values.
        ahead = want + 0.025 * 0.9 * 64 * momentum
        # The gradient with respect to the image, through its division.
        gradient = np.mean([gradient_of(model, ahead / k, labels) / k for k in (1, 2, 4)], axis=0)
        momentum = 0.9 * momentum + one(gradient)
        want = np.clip(want + 0.025 * np.sign(momentum), 0, 1)
    attack = MomentumPGD(0.1, steps=4, decay=0.9, nesterov=True, scales=3)
    got = attack.last_iterates(model, images, labels)
    assert np.mean(np.abs(got - want) < 1e-5) > 0.999


def test_variance_tuning_is_a_plain_loop(model, some):
    images, labels = some
    keys = example_random.example_keys(0, tf.range(len(images)))
    want, momentum, variance = images, 0.0, 0.0
    for step in range(4):
        gradient = gradient_of(model, want, labels)
        around = []
        for k in range(3):
            noise = example_random.uniform(keys, (8, 8, 1), "neighbour", step * 3 + k).numpy()
            around.append(gradient_of(model, want + 1.5 * 0.1 * (2 * noise - 1), labels))
        momentum = momentum + one(gradient + variance)
        variance = np.mean(around, axis=0) - gradient
        want = np.clip(want + 0.025 * np.sign(momentum), 0, 1)
    got = MomentumPGD(0.1, steps=4, neighbours=3).last_iterates(model, images, labels)
    assert np.mean(np.abs(got - want) < 1e-5) > 0.999


def test_the_variants_go_together_and_are_judged_where_they_are(model, some):
    attack = MomentumPGD(0.2, steps=4, nesterov=True, scales=2, neighbours=2, diversity=0.5)
    result = attack.run(model, *some)
    predicted = model(result.adversarial).numpy().argmax(axis=1)
    np.testing.assert_array_equal(result.success, predicted != some[1])


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_neighbours_and_look_ahead_are_as_long_as_the_norm_says(norm):
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    change = random_change(tf.constant(IMAGES), KEYS, 0.9, norm, "neighbour", 0)
    reach = np.linalg.norm(change.numpy().reshape(200, -1), order, axis=1)
    # Nearly all of a ball of 200 dimensions lies at its surface.
    assert reach.max() <= 0.9 + 1e-5
    assert reach.mean() > 0.85
    gradient = np.random.default_rng(1).choice([-1.0, 1.0], size=IMAGES.shape).astype("float32")
    ahead = _unit(tf.constant(gradient / gradient[0].size), norm).numpy().reshape(200, -1)
    np.testing.assert_allclose(np.linalg.norm(ahead, order, axis=1), 1.0, rtol=1e-5)
