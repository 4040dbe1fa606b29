"""Small and imbalanced sets, what fills them, and rotations."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import kgan.data
from kgan.data import Dataset, class_counts, fill, labelled_share, long_tailed
from kgan.data.rotation import rotate


@pytest.fixture(scope="module")
def digits():
    return kgan.data.load("digits")


def bytes_of(data):
    return {image.tobytes() for image in data.samples}


def test_a_share_is_that_of_each_class_and_smaller_shares_are_within_larger_ones(digits):
    counts = class_counts(digits)
    parts = [labelled_share(digits, share, seed=3) for share in (0.001, 0.05, 0.3, 1.0)]
    np.testing.assert_array_equal(class_counts(parts[0]), 1)
    np.testing.assert_array_equal(class_counts(parts[1]), np.round(0.05 * counts))
    np.testing.assert_array_equal(class_counts(parts[2]), np.round(0.3 * counts))
    np.testing.assert_array_equal(parts[3].samples, digits.samples)
    for smaller, larger in itertools.pairwise(parts):
        assert bytes_of(smaller) <= bytes_of(larger)
    again = labelled_share(digits, 0.05, seed=3)
    np.testing.assert_array_equal(again.samples, parts[1].samples)
    assert bytes_of(labelled_share(digits, 0.05, seed=4)) != bytes_of(parts[1])


def test_a_long_tail_falls_exponentially(digits):
    smallest = class_counts(digits).min()
    tailed = long_tailed(digits, imbalance=100)
    wanted = np.maximum(1, np.round(smallest * 100 ** (-np.arange(10) / 9)))
    np.testing.assert_array_equal(class_counts(tailed), wanted)
    assert bytes_of(tailed) <= bytes_of(digits)
    np.testing.assert_array_equal(class_counts(long_tailed(digits, imbalance=1)), smallest)
    known = zip(digits.samples, digits.labels, strict=True)
    label_of = {image.tobytes(): label for image, label in known}
    found = [label_of[image.tobytes()] for image in tailed.samples]
    np.testing.assert_array_equal(found, tailed.labels)


def generate(n, labels, seed):
    """Images whose brightness is their class, and one corner the seed."""
    images = np.broadcast_to(labels[:, None, None, None] / 10, (n, 8, 8, 1)).astype("float32")
    images = images.copy()
    images[:, 0, 0] = seed / 10
    return images


@pytest.mark.parametrize("per_class", [None, 100, 200])
def test_filling_makes_classes_equal_and_keeps_every_real_sample(digits, per_class):
    tailed = long_tailed(digits, imbalance=20)
    filled = fill(tailed, generate, per_class=per_class, seed=7)
    counts = class_counts(tailed)
    target = counts.max() if per_class is None else per_class
    np.testing.assert_array_equal(class_counts(filled), np.maximum(counts, target))
    np.testing.assert_array_equal(filled.samples[: len(tailed)], tailed.samples)
    np.testing.assert_array_equal(filled.labels[: len(tailed)], tailed.labels)
    fakes, labels = filled.samples[len(tailed) :], filled.labels[len(tailed) :]
    assert fakes.dtype == np.uint8
    np.testing.assert_array_equal(fakes[:, 3, 3, 0], np.round(labels * 25.5))
    assert (fakes[:, 0, 0] == round(0.7 * 255)).all()
    assert filled.class_names == digits.class_names


def test_a_gan_fills_by_the_seed_and_floats_stay_floats(digits, make_gan):
    gan = make_gan(num_classes=10)
    small = labelled_share(digits, 0.1)
    small = Dataset("floats", small.as_float(), small.labels, small.class_names)

    def sample(n, labels, seed):
        return gan.generate(n, labels, seed=seed)

    first, again, other = (fill(small, sample, per_class=20, seed=seed) for seed in (1, 1, 2))
    assert first.samples.dtype == np.float32
    np.testing.assert_array_equal(first.samples, again.samples)
    assert np.abs(first.samples[-50:] - other.samples[-50:]).max() > 0
    n = 200 - len(small)
    np.testing.assert_array_equal(
        first.samples[len(small) :], gan.generate(n, first.labels[len(small) :], seed=1)
    )


def test_nothing_is_generated_where_nothing_is_missing(digits):
    def refuse(n, labels, seed):
        raise AssertionError

    assert fill(digits, refuse, per_class=1) is digits


def test_mistakes(digits):
    points = kgan.data.load("ring")
    unlabelled = Dataset("mine", digits.samples)
    with pytest.raises(ValueError, match="mine must have labels"):
        fill(unlabelled, generate)
    with pytest.raises(ValueError, match="per_class must be at least 1"):
        fill(digits, generate, per_class=0)
    with pytest.raises(ValueError, match=r"samples of the shape \(.*, 2\)"):
        fill(points, generate, per_class=20_000)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        fill(digits, lambda *given: 255 * generate(*given), per_class=200)
    with pytest.raises(ValueError, match=r"share must be in \(0, 1\], got 5"):
        labelled_share(digits, 5)
    with pytest.raises(ValueError, match="imbalance must be at least 1"):
        long_tailed(digits, imbalance=0.01)
    gap = digits.take(np.flatnonzero(digits.labels != 3))
    with pytest.raises(ValueError, match="has none of class 3"):
        long_tailed(gap)


def test_a_right_angle_turns_as_numpy_does(monkeypatch):
    # All draws at the upper end: every image turns by the whole angle.
    monkeypatch.setattr("kgan.random.stateless_uniform", lambda seed, shape: tf.ones(shape))
    images = np.random.default_rng(0).random((3, 5, 5, 2)).astype("float32")
    turned = rotate(tf.constant(images), tf.constant([0, 0]), degrees=90.0).numpy()
    np.testing.assert_allclose(turned, np.rot90(images, axes=(1, 2)), atol=1e-5)


def test_angles_are_even_within_the_limit_and_a_function_of_the_seed():
    images = np.zeros((2000, 21, 21, 1), "float32")
    images[:, 10, 20] = 1.0
    turned = rotate(tf.constant(images), tf.constant([1, 2]), degrees=30.0).numpy()
    rows, columns = np.mgrid[:21, :21] - 10
    weight = turned[..., 0]
    angle = np.degrees(np.arctan2((weight * -rows).sum((1, 2)), (weight * columns).sum((1, 2))))
    assert 27 < angle.max() < 32
    assert -32 < angle.min() < -27
    assert abs(angle.mean()) < 1.5
    assert abs(angle.std() - 30 / np.sqrt(3)) < 1
    again = rotate(tf.constant(images), tf.constant([1, 2]), degrees=30.0).numpy()
    np.testing.assert_array_equal(turned, again)
