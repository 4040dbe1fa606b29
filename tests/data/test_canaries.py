"""Canaries among data: what they are, and that only those that take part are ever taken."""

import numpy as np
import pytest

import kgan.data
from kgan.kinds import Points, Table
from kgan.rows import Category, Integer, Rows

KEY = np.array([3, 4], np.int32)


def points():
    values = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    labels = (np.arange(200) % 2).astype(np.int32)
    return kgan.data.Dataset("points", values, labels, ("no", "yes"), kind=Points(3))


def test_they_stand_last_and_take_the_places_of_others():
    data = points()
    found = kgan.data.with_canaries(data, 40, np.random.default_rng(1))
    assert (len(found.data), len(found), found.others) == (200, 40, 160)
    kept, made = found.data.samples[:160], found.data.samples[160:]
    known = {tuple(row) for row in data.samples}
    assert all(tuple(row) in known for row in kept)
    assert not any(tuple(row) in known for row in made)
    assert (data.samples.min(0) <= made).all()
    assert (made <= data.samples.max(0)).all()
    assert set(found.data.labels[160:]) == {0, 1}
    assert 8 < found.included.sum() < 32


def test_they_are_within_the_columns_of_a_table():
    kind = Table((Integer("age", 0, 90), Category("sex", ("f", "m"))))
    rows = Rows({"age": np.full(100, 30), "sex": np.array(["f"] * 100, object)})
    data = kgan.data.Dataset("rows", rows, kind=kind)
    made = kgan.data.with_canaries(data, 50, np.random.default_rng(1)).data.samples[50:]
    assert len(np.unique(made["age"])) > 20
    assert set(made["sex"]) == {"f", "m"}


@pytest.mark.parametrize("draws", [1, 3])
def test_those_that_do_not_take_part_are_never_taken(draws):
    found = kgan.data.with_canaries(points(), 40, np.random.default_rng(1))
    # As images of themselves: each record is told by its first value.
    names = {float(row[0]): number for number, row in enumerate(found.data.samples)}
    feed = kgan.data.private_feed(found.data, 60, key=KEY, draws=draws, canaries=found)
    plain = kgan.data.private_feed(found.data, 60, key=KEY, draws=draws)
    times, steps = np.zeros(200), 200 // draws
    for batch, other in zip(feed.take(steps), plain, strict=False):
        taken = batch["taken"].numpy()
        rows = [names[float(row[0])] for row in batch["samples"].numpy()[taken]]
        np.add.at(times, rows, 1)
        # The draws are those of the training.
        np.testing.assert_array_equal(batch["samples"], other["samples"])
        assert not (taken & ~other["taken"].numpy()).any()
    absent = np.r_[np.zeros(160, bool), ~found.included]
    assert (times[absent] == 0).all()
    drawn = steps * draws
    # Each of the others in three draws of ten, within five standard deviations.
    assert (np.abs(times[~absent] - 0.3 * drawn) < 5 * np.sqrt(0.21 * drawn)).all()


def test_watched_are_all_canaries_and_new_others():
    found = kgan.data.with_canaries(points(), 40, np.random.default_rng(1))
    canaries, kept = found.data.samples[160:], {tuple(row) for row in found.data.samples[:160]}
    found = kgan.data.Canaries(found.data, found.included, witnesses=25)
    feed = kgan.data.private_feed(found.data, 60, key=KEY, canaries=found)
    first, second = (batch["watched"] for batch in feed.take(2))
    assert first["samples"].shape == (65, 3)
    np.testing.assert_array_equal(first["samples"][:40], canaries)
    np.testing.assert_array_equal(first["labels"][:40], found.data.labels[160:])
    others = [{tuple(row) for row in one["samples"].numpy()[40:]} for one in (first, second)]
    assert others[0] <= kept
    assert len(others[0]) == 25
    assert others[0] != others[1]
    # The coins say nothing of it.
    turned = kgan.data.Canaries(found.data, ~found.included, witnesses=25)
    again = next(iter(kgan.data.private_feed(found.data, 60, key=KEY, canaries=turned)))
    np.testing.assert_array_equal(again["watched"]["samples"], first["samples"])


def test_mistakes_are_named():
    data = points()
    with pytest.raises(ValueError, match="canaries must be from 20 to half of the 200 records"):
        kgan.data.with_canaries(data, 101, np.random.default_rng(1))
    found = kgan.data.with_canaries(data, 40, np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"pass canaries\.data"):
        kgan.data.private_feed(data, 60, key=KEY, canaries=found)
