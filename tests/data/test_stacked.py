"""Stacked digits: built lazily, and the same in NumPy and in the feed."""

import numpy as np
import pytest

import kgan.data
from kgan.data import Dataset, StackedImages


@pytest.fixture
def stacked():
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (7, 8, 9), dtype=np.uint8)
    return StackedImages(grey, random.integers(7, size=(40, 3), dtype=np.int32))


def test_channels_are_the_named_rows(stacked):
    built = np.stack(
        [np.stack([stacked.grey[part] for part in parts], axis=-1) for parts in stacked.parts]
    )
    assert stacked.shape == built.shape == (40, 8, 9, 3)
    np.testing.assert_array_equal(np.asarray(stacked), built)
    np.testing.assert_array_equal(stacked[5:7], built[5:7])
    np.testing.assert_array_equal(stacked[[3, 1]], built[[3, 1]])
    np.testing.assert_array_equal(stacked[4], built[4])


def test_it_stands_for_an_array_in_a_dataset_and_in_the_feed(stacked):
    lazy, built = Dataset("lazy", stacked), Dataset("built", np.asarray(stacked))
    assert (len(lazy), lazy.sample_shape, lazy.is_images) == (40, (8, 9, 3), True)
    np.testing.assert_array_equal(lazy.as_float(), built.as_float())
    np.testing.assert_array_equal(lazy.take([2, 9]).samples, built.samples[[2, 9]])
    pairs = zip(kgan.data.feed(lazy, 6).take(8), kgan.data.feed(built, 6).take(8), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


def test_labels_are_the_digits_read_as_a_number(monkeypatch):
    random = np.random.default_rng(0)
    labels = random.integers(10, size=500).astype(np.int32)
    digits = Dataset(
        "mnist",
        random.integers(0, 256, (500, 28, 28, 1), dtype=np.uint8),
        labels,
        tuple("0123456789"),
    )
    asked = []
    monkeypatch.setattr(
        kgan.data.stacked, "load_tfds", lambda *names, **options: asked.append(names) or digits
    )
    train, test = kgan.data.load("stacked-mnist"), kgan.data.load("stacked-mnist", "test")
    assert asked == [("mnist", "train+test")] * 2
    assert (len(train), len(test)) == (128_000, 26_000)
    assert train.sample_shape == (28, 28, 3)
    for position, factor in enumerate((100, 10, 1)):
        np.testing.assert_array_equal(
            train.labels // factor % 10, labels[train.samples.parts[:, position]]
        )
    assert train.class_names[42] == "042"
    assert not np.array_equal(train.samples.parts[:26_000], test.samples.parts)
    np.testing.assert_array_equal(kgan.data.load("stacked-mnist").labels, train.labels)


@pytest.mark.slow
def test_stacked_mnist_has_a_thousand_modes(tfds_data_dir):
    data = kgan.data.load("stacked-mnist", data_dir=tfds_data_dir)
    assert len(data.samples.grey) == 70_000
    counts = np.bincount(data.labels, minlength=1000)
    assert counts.min() > 0
    share = counts / counts.sum()
    # Of 128,000 draws: 0.004 by chance; MNIST's unequal digits add 0.0044.
    assert np.sum(share * np.log(share * 1000)) == pytest.approx(0.008, abs=0.001)


def test_its_split_and_size_are_checked():
    with pytest.raises(ValueError, match="split of stacked-mnist must be train or test, got 'all'"):
        kgan.data.load("stacked-mnist", "all")
    with pytest.raises(ValueError, match="image_size must be left out for stacked-mnist"):
        kgan.data.load("stacked-mnist", image_size=(32, 32))
