"""Two domains: batches as a function of (seed, step), and digits whose truth is known."""

import itertools

import numpy as np
import pytest

import kgan.data
import kgan.kinds
from kgan.data import Dataset, Domains, Pairs
from kgan.data.slanted import SLOPE, slant


def numbered(n, *, first=0, shape=(2, 2, 1), name="some"):
    """Images whose every pixel is their number."""
    values = np.arange(first, first + n, dtype=np.uint8).reshape(n, 1, 1, 1)
    return Dataset(name, np.broadcast_to(values, (n, *shape)).copy())


def numbers(batch):
    return [np.round(np.asarray(side)[:, 0, 0, 0] * 255).astype(int).tolist() for side in batch]


def test_each_domain_passes_in_an_order_of_its_own():
    domains = Domains(numbered(12), numbered(5, first=100))
    assert len(domains) == 12
    stream = kgan.data.feed_apart(domains, 3, seed=1).take(20)
    rows_a, rows_b = (np.concatenate(side) for side in zip(*map(numbers, stream), strict=True))
    assert len(rows_a) == len(rows_b) == 60
    for rows, n, first in ((rows_a, 12, 0), (rows_b, 5, 100)):
        passes = rows.reshape(-1, n)
        assert (np.sort(passes) == np.arange(first, first + n)).all()
        assert len({tuple(one) for one in passes}) > 1
    # A pair that came once need not come again.
    assert len(set(zip(rows_a, rows_b, strict=True))) > 30


def test_the_stream_can_be_entered_anywhere():
    domains = Domains(numbered(7), numbered(4, first=50))
    whole = list(map(numbers, kgan.data.feed_apart(domains, 2, seed=3, flip=True).take(9)))
    later = list(map(numbers, kgan.data.feed_apart(domains, 2, seed=3, flip=True, start=5).take(4)))
    assert whole[5:] == later
    other = list(map(numbers, kgan.data.feed_apart(domains, 2, seed=4).take(9)))
    assert other != whole


def test_flips_of_the_two_domains_are_apart():
    ramp = np.broadcast_to(np.arange(4, dtype=np.uint8).reshape(1, 1, 4, 1), (2, 1, 4, 1)).copy()
    domains = Domains(Dataset("a", ramp), Dataset("b", ramp))
    coins = [
        tuple(bool(np.asarray(side)[0, 0, 0, 0] > 0) for side in batch)
        for batch in kgan.data.feed_apart(domains, 1, flip=True).take(60)
    ]
    assert {*coins} == {*itertools.product((False, True), repeat=2)}
    unflipped = list(kgan.data.feed_apart(domains, 1).take(5))
    assert all(np.asarray(side)[0, 0, 0, 0] == 0 for batch in unflipped for side in batch)


def test_a_fingerprint_tells_the_domains_apart():
    one, other = numbered(4), numbered(5, first=9)
    prints = [Domains(a, b).fingerprint() for a, b in ((one, other), (other, one), (one, one))]
    assert prints[0]["count"] == 9
    assert len({told["sha256"] for told in prints}) == 3
    assert Domains(one, other).fingerprint() == prints[0]


@pytest.mark.parametrize(
    ("kind", "a", "b", "message"),
    [
        (Domains, numbered(3), numbered(3, shape=(2, 3, 1)), r"one size, got 2x2x1 .* 2x3x1"),
        (Domains, numbered(3), Dataset("p", np.zeros((3, 2), np.float32)), "samples of one size"),
        (Pairs, numbered(3), numbered(4), "as many in both domains, got 3 samples of some and 4"),
    ],
)
def test_what_cannot_be_two_domains(kind, a, b, message):
    with pytest.raises(ValueError, match=message):
        kind(a, b)


def test_colour_may_differ():
    domains = Domains(numbered(3), numbered(3, shape=(2, 2, 3)))
    assert [kind.channels for kind in domains.kinds] == [1, 3]
    assert domains.class_names is None


def test_a_slant_is_a_shear():
    # A white column in the middle of 5 rows: each row's middle of mass is where it was moved to.
    images = np.zeros((1, 5, 9, 1), np.float32)
    images[:, :, 4] = 1
    found = slant(images, 0.4)[0, ..., 0]
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    middles = found @ np.arange(9)
    np.testing.assert_allclose(middles, 4 + 0.4 * np.array([2, 1, 0, -1, -2]), atol=1e-6)
    np.testing.assert_array_equal(slant(images, 0.0), images)
    # A whole step is exact, and a negative slope undoes it.
    np.testing.assert_array_equal(slant(slant(images, 1.0), -1.0), images)
    # What leaves is lost, and black comes in.
    assert slant(np.ones((1, 5, 3, 1), np.float32), 1.0)[0, 0, :, 0].tolist() == [0, 0, 1]


def test_the_digits_that_train_are_no_pairs():
    domains, pairs = kgan.data.load_slanted_digits(), kgan.data.load_slanted_pairs()
    digits = kgan.data.load("digits")
    assert (len(domains.a), len(domains.b), len(pairs)) == (721, 721, 355)
    assert domains.kinds == (kgan.kinds.Images(16, 16, 1),) * 2
    assert len(domains.a) + len(domains.b) == len(digits)
    upright = {image.tobytes() for image in domains.a.samples}
    would_be = {image.tobytes() for image in kgan.data.slanted(domains.a).samples}
    assert not would_be & {image.tobytes() for image in domains.b.samples}
    assert not upright & {image.tobytes() for image in pairs.a.samples}
    assert pairs.paired
    assert not domains.paired
    np.testing.assert_allclose(
        slant(pairs.a.as_float(), SLOPE), pairs.b.as_float(), atol=0.5 / 255 + 1e-6
    )
    # Hardly anything leaves the image.
    assert pairs.b.as_float().sum() / pairs.a.as_float().sum() > 0.99
