"""The order of examples is a pure function of (seed, epoch)."""

import numpy as np
import pytest

import kgan.data
from kgan.data import Dataset


@pytest.fixture
def data():
    values = np.arange(23, dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (23, 8, 8, 1)).copy()
    return Dataset("numbers", images, values.astype(np.int32) % 5, tuple("abcde"))


def batches(data, n, **options):
    return [
        (np.asarray(images)[:, 0, 0, 0] * 255, labels)
        for images, labels in kgan.data.feed(data, 5, **options).take(n).as_numpy_iterator()
    ]


def test_each_epoch_is_another_permutation(data):
    assert kgan.data.steps_per_epoch(data, 5) == 4
    rows = [images.round().astype(int) for images, _ in batches(data, 12)]
    epochs = [np.concatenate(rows[i : i + 4]) for i in (0, 4, 8)]
    for epoch in epochs:
        assert len(set(epoch)) == 20
    assert not np.array_equal(epochs[0], epochs[1])
    # No sample is left out for good.
    many = np.concatenate([images for images, _ in batches(data, 80)])
    assert len(set(many.round())) == 23


def test_it_can_be_entered_anywhere(data):
    whole, rest = batches(data, 9, seed=3), batches(data, 4, seed=3, start=5)
    for (images, labels), (its_images, its_labels) in zip(whole[5:], rest, strict=True):
        np.testing.assert_array_equal(images, its_images)
        np.testing.assert_array_equal(labels, its_labels)
    other = batches(data, 1, seed=4)
    assert not np.array_equal(whole[0][0], other[0][0])


def test_labels_go_with_their_images_as_floats_in_unit_range(data):
    images, labels = next(iter(kgan.data.feed(data, 5)))
    assert images.dtype == "float32"
    np.testing.assert_array_equal((images[:, 0, 0, 0] * 255).numpy().round() % 5, labels)
    assert float(np.max(images)) <= 1
    alone = next(iter(kgan.data.feed(data, 5, labels=False)))
    np.testing.assert_array_equal(alone, images)


def test_half_of_the_images_are_flipped_repeatably():
    images = np.zeros((400, 8, 8, 1), np.uint8)
    images[:, :, 0] = 255
    data = Dataset("left", images)
    first = next(iter(kgan.data.feed(data, 400, flip=True))).numpy()
    again = next(iter(kgan.data.feed(data, 400, flip=True))).numpy()
    np.testing.assert_array_equal(first, again)
    assert 0.4 < first[:, 0, 7, 0].mean() < 0.6
    np.testing.assert_array_equal(first[:, :, 0] + first[:, :, 7], 1)


@pytest.mark.parametrize("batch_size", [0, 24])
def test_bad_batch_size(data, batch_size):
    with pytest.raises(ValueError, match="batch_size must be between 1 and the 23 samples"):
        kgan.data.feed(data, batch_size)


def test_points_are_not_flipped():
    with pytest.raises(ValueError, match="flip must be off for points"):
        kgan.data.feed(kgan.data.load("ring"), 8, flip=True)


@pytest.mark.parametrize("part", [(2, 1), (1, 3), (3, 2)], ids=str)
def test_workers_read_the_pieces_of_the_whole_batch(part):
    workers, replicas = part
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 4, 4, 1)).astype(np.uint8)
    data = kgan.data.Dataset(
        "toy", images, np.arange(40, dtype=np.int32), tuple(map(str, range(40)))
    )
    how = {"seed": 3, "start": 2, "flip": True}
    whole = list(kgan.data.feed(data, 12, **how).take(4).as_numpy_iterator())
    pieces = [
        list(
            kgan.data.feed(data, 12, part=kgan.data.Part(worker, workers, replicas), **how)
            .take(4 * replicas)
            .as_numpy_iterator()
        )
        for worker in range(workers)
    ]
    for step, batch in enumerate(whole):
        own = [one for each in pieces for one in each[step * replicas : (step + 1) * replicas]]
        for ours, theirs in zip(zip(*own, strict=True), batch, strict=True):
            np.testing.assert_array_equal(np.concatenate(ours), theirs)
