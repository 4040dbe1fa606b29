"""Scores of tables against scipy, closed forms and rows whose faults are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from kgan.data.table import table
from kgan.kinds import Table
from kgan.metrics.table_detection import table_detection
from kgan.metrics.table_privacy import table_privacy
from kgan.metrics.table_quality import (
    column_shapes,
    independent_columns,
    pair_trends,
    table_quality,
)
from kgan.metrics.table_utility import table_utility
from kgan.rows import Category, Integer, Number, Rows

KIND = Table(
    (
        Number("x", -10.0, 10.0),
        Integer("count", 0, 100),
        Category("colour", ("blue", "green", "red")),
        Category("grade", (1, 2)),
    )
)


def rows(n, seed, *, slope=1.0, weights=(0.5, 0.3, 0.2)):
    random = np.random.default_rng(seed)
    x = random.normal(0, 2, n)
    return Rows(
        {
            "x": x,
            "count": np.clip(np.round(50 + 10 * slope * x + 5 * random.normal(size=n)), 0, 100)
            .astype(int),
            "colour": random.choice(["blue", "green", "red"], n, p=weights).astype(object),
            "grade": np.where(x + random.normal(size=n) > 0, 2, 1),
        }
    )  # fmt: skip


def test_equal_tables_have_every_score_at_one():
    ours = rows(500, 0)
    assert table_quality(ours, ours, table=KIND) == (1.0, 1.0, 1.0)


def test_columns_and_pairs_are_scored_by_their_formulas():
    ours, theirs = rows(700, 0), rows(400, 1, slope=0.4, weights=(0.2, 0.2, 0.6))
    shapes = column_shapes(ours, theirs, table=KIND)
    for name in ("x", "count"):
        expected = 1 - scipy.stats.ks_2samp(ours[name], theirs[name]).statistic
        assert shapes[name] == pytest.approx(expected, abs=1e-12)
    shares = [
        [np.mean(one["colour"] == c) for c in ("blue", "green", "red")] for one in (ours, theirs)
    ]
    assert shapes["colour"] == pytest.approx(1 - np.abs(np.subtract(*shares)).sum() / 2)
    pairs = pair_trends(ours, theirs, table=KIND)
    assert len(pairs) == 6
    correlations = [
        scipy.stats.pearsonr(one["x"], one["count"]).statistic for one in (ours, theirs)
    ]
    assert pairs["x", "count"] == pytest.approx(1 - abs(np.subtract(*correlations)) / 2)

    def cells(one, edges):
        table, *_ = np.histogram2d(
            np.digitize(one["x"], edges), one["grade"], bins=[np.arange(13) - 0.5, [0.5, 1.5, 2.5]]
        )
        return table / len(one)

    edges = np.histogram_bin_edges(ours["x"].astype(float), bins=10)
    edges[0], edges[-1] = -np.inf, np.inf
    apart = np.abs(cells(ours, edges) - cells(theirs, edges)).sum() / 2
    assert pairs["x", "grade"] == pytest.approx(1 - apart)
    quality = table_quality(ours, theirs, table=KIND)
    assert quality.column_shapes == pytest.approx(np.mean(list(shapes.values())))
    assert quality.pair_trends == pytest.approx(np.mean(list(pairs.values())))
    assert quality.quality == pytest.approx((quality.column_shapes + quality.pair_trends) / 2)


def test_shuffled_columns_keep_their_shapes_and_lose_their_trends():
    ours = rows(20_000, 0)
    shuffled = independent_columns(ours, seed=1)
    quality = table_quality(ours, shuffled, table=KIND)
    assert quality.column_shapes == 1.0
    pairs = pair_trends(ours, shuffled, table=KIND)
    assert pairs["x", "count"] == pytest.approx(0.5, abs=0.03)  # From about 1 to about 0.
    assert pairs["x", "colour"] > 0.95  # There was none.
    again = independent_columns(ours, seed=1)
    assert all((again[name] == shuffled[name]).all() for name in ours.columns)


def test_a_constant_column_has_no_trend_and_no_nan():
    # The mean of many 0.1 is not 0.1.
    flat = Rows({"a": np.full(1001, 0.1), "b": np.arange(1001.0)})
    slope = Rows({"a": np.arange(1001.0), "b": np.arange(1001.0)})
    kind = Table((Number("a", 0.0, 1.0), Number("b", 0.0, 1.0)))
    assert table_quality(flat, flat, table=kind) == (1.0, 1.0, 1.0)
    assert pair_trends(flat, slope, table=kind)["a", "b"] == pytest.approx(0.5)


def test_what_cannot_be_compared_is_named():
    ours = rows(50, 0)
    with pytest.raises(ValueError, match="fake must hold at least 2 rows, got 1"):
        table_quality(ours, ours[:1], table=KIND)
    fewer = Rows({name: values for name, values in ours.columns.items() if name != "x"})
    with pytest.raises(ValueError, match="the same columns"):
        table_quality(ours, fewer, table=KIND)


def test_utility_is_that_of_what_was_learnt():
    data, test = rows(1200, 0), rows(1500, 1)
    real = table_utility(test, data, table=KIND, target="grade")
    # The best that can be told of x and its noisy copy: P(sign(x) = sign(x + noise)).
    best = 0.5 + np.arctan(2.0) / np.pi
    assert real.utility_logistic == pytest.approx(best, abs=0.03)
    assert real.utility == pytest.approx(best, abs=0.05)
    shuffled = table_utility(test, independent_columns(data), table=KIND, target="grade")
    # Of labels that depend on nothing, any direction is learnt.
    assert max(shuffled.utility, shuffled.utility_logistic) < best - 0.15
    assert real.utility_auc > 0.85 > 0.65 > shuffled.utility_auc
    one = Rows({**data.columns, "grade": np.full(len(data), 2)})
    share = float(np.mean(test["grade"] == 2))
    found = table_utility(test, one, table=KIND, target="grade")
    assert found[:3] == (share, share, 0.5)
    # Where all are said to be green, precision is their share and recall 1; of others F1 is 0.
    green = Rows({**data.columns, "colour": np.full(len(data), "green", object)})
    share = float(np.mean(test["colour"] == "green"))
    found = table_utility(test, green, table=KIND, target="colour")
    assert found.utility_f1 == pytest.approx(2 * share / (1 + share) / 3)
    # The area under precision over recall is each class's share.
    assert found.utility_auprc == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="target must be a category, got 'x' of the type number"):
        table_utility(test, data, table=KIND, target="x")
    with pytest.raises(ValueError, match=r"column must be one of .*'grad'"):
        table_utility(test, data, table=KIND, target="grad")


def test_scores_are_those_of_sdmetrics():
    """Of the metrics of SDMetrics 0.32, over missing values, dates and booleans too."""
    kept = json.loads((Path(__file__).parent / "sdmetrics_quality.json").read_text())
    data = {}
    for part in ("real", "fake"):
        columns = kept[part]
        data[part] = {
            "number": np.array(columns["number"], np.float64),
            "integer": np.array(columns["integer"]),
            "gap": np.array(columns["gap"], np.float64),
            "word": np.array(columns["word"], object),
            "flag": np.array(columns["flag"], object),
            "day": np.array(columns["day"], "datetime64[us]"),
        }
    both = {name: np.concatenate([data[one][name] for one in data]) for name in data["real"]}
    whole = table("both", both, {"integer": "integer", "gap": "number"})
    n = len(data["real"]["number"])
    real, fake = whole.samples[:n], whole.samples[n:]
    shapes = column_shapes(real, fake, table=whole.kind)
    assert shapes == pytest.approx(kept["shapes"], abs=1e-6)
    pairs = {"|".join(k): v for k, v in pair_trends(real, fake, table=whole.kind).items()}
    assert pairs == pytest.approx(kept["pairs"], abs=1e-6)
    quality = table_quality(real, fake, table=whole.kind)
    assert quality.quality == pytest.approx(kept["quality"], abs=1e-6)


def test_detection_sees_what_it_can_and_is_fair_to_real_rows():
    ours, more = rows(1500, 0), rows(1500, 1)
    same = table_detection(ours, more, table=KIND)
    assert min(same) > 0.9
    shuffled = table_detection(ours, independent_columns(more), table=KIND)
    # Columns alone are alike, which is all that a linear model sees; pairs are not.
    assert shuffled.undetected < 0.3
    assert shuffled.undetected_logistic > 0.85
    other = table_detection(ours, rows(1500, 1, weights=(0.0, 0.0, 1.0)), table=KIND)
    assert max(other) < 0.75
    with pytest.raises(ValueError, match="detection needs 6 rows of each, got 4"):
        table_detection(ours, more[:4], table=KIND)


def test_copies_are_seen_from_both_sides():
    train, held_out, fresh = rows(800, 0), rows(800, 1), rows(800, 2)
    fair = table_privacy(train, fresh, table=KIND, held_out=held_out)
    assert fair.closer_to_train == pytest.approx(0.5, abs=0.06)
    assert fair.membership_auc == pytest.approx(0.5, abs=0.06)
    assert fair.copies < 0.01
    copies = table_privacy(train, train, table=KIND, held_out=held_out)
    assert copies.closer_to_train > 0.99
    assert copies.membership_auc > 0.99
    assert copies.copies > 0.95
    # Half of them are copies.
    half = Rows.joined([train[:400], fresh[:400]])
    mixed = table_privacy(train, half, table=KIND, held_out=held_out)
    assert mixed.closer_to_train == pytest.approx(0.75, abs=0.05)


def test_copies_are_found_in_all_training_rows_however_few_are_held_out():
    train, held_out, fresh = rows(800, 0), rows(100, 1), rows(400, 2)
    half = Rows.joined([train[400:], fresh])
    # No row is drawn twice from these laws, for "x" is continuous.
    assert table_privacy(train, half, table=KIND, held_out=held_out).copies == 0.5
    copied = table_privacy(train, train, table=KIND, held_out=held_out)
    assert copied.copies == 1.0
    # An eighth of the training rows is drawn; other copies are as near to either set.
    assert copied.closer_to_train == pytest.approx((1 + 1 / 8) / 2, abs=0.05)


def test_rows_that_chance_makes_equal_are_no_copies():
    kind = Table((Category("c", ("a", "b")), Number("x", 0.0, 1.0, missing=True)))
    train = Rows({"c": ["a", "a", "b"], "x": [0.0, np.nan, 1.0]})
    # Of the held-out rows two of four are training rows, of the generated ones three of four.
    held_out = Rows({"c": ["a", "b", "b", "a"], "x": [-0.0, np.nan, 1.0, 1.0]})
    fake = Rows({"c": ["a", "a", "b", "b"], "x": [np.nan, 0.0, 1.0, 0.0]})
    assert table_privacy(train, fake, table=kind, held_out=held_out).copies == 0.25


def test_distances_are_those_of_the_formula():
    kind = Table((Number("x", 0.0, 10.0, missing=True), Category("c", ("a", "b"))))
    train = Rows({"x": [0.0, 10.0], "c": ["a", "b"]})
    other = Rows({"x": [np.nan, 5.0], "c": ["a", "b"]})
    # To training rows (0.2 + 0) / 2, to the others (1 + 0) / 2: the first is nearer. Then (1 + 0)
    # / 2 and 0; then (0.3 + 0) / 2 and (0.2 + 0) / 2.
    fake = Rows({"x": [2.0, np.nan, 7.0], "c": ["a", "a", "b"]})
    found = table_privacy(train, fake, table=kind, held_out=other)
    assert found.closer_to_train == pytest.approx(1 / 3)
    # From training rows 0.1 and 0.15, from the others 0 and 0.1: pairs (0.1, 0) no, (0.1, 0.1) a
    # tie, (0.15, 0) no, (0.15, 0.1) no.
    assert found.membership_auc == pytest.approx(0.125)
    assert found.copies == 0.0


def test_a_table_of_one_column_has_no_pairs():
    data = table("x", {"a": np.arange(30) * 0.5})
    assert table_quality(data.samples, data.samples, table=data.kind).pair_trends == 1.0
