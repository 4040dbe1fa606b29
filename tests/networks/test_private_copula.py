"""The private copula: what one row moves, what its noise is, and what is left without noise."""

import keras
import numpy as np
import pytest

import kgan.models
from kgan.kinds import Table
from kgan.networks import (
    ClassCopula,
    GaussianCopula,
    encoder_of_counts,
    private_counts,
    private_counts_by_class,
    whole_of,
)
from kgan.networks.table_copula import _private_correlations
from kgan.privacy import Guarantee
from kgan.rows import Category, Integer, Number, Rows
from tests.networks.quiet import Quiet

KIND = Table(
    (
        Number("x", -6.0, 6.0),
        Number("y", -6.0, 6.0),
        Integer("n", 0, 5, True),
        Category("c", ("a", "b", "c")),
    )
)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(1)
    x = random.normal(size=3000)
    y = 0.8 * x + 0.6 * random.normal(size=3000)
    n = np.clip(np.round(2.5 + x), 0, 5)
    n[::10] = np.nan
    c = np.where(y > 0.5, "a", np.where(random.random(3000) < 0.7, "b", "c"))
    return Rows(
        {"x": x.astype(np.float32), "y": y.astype(np.float32), "n": n, "c": c.astype(object)}
    )


@pytest.mark.parametrize("columns", [2, 15])
def test_the_noise_covers_the_products_of_a_row(columns):
    """The products of a row of equal values, as long as one may be, are as long as any can be."""
    quiet, long = Quiet(), np.full((columns, 1), 100.0)
    _private_correlations(long, 3.0, quiet)
    value = np.sqrt((columns + 2 * np.sqrt(2 * columns)) / columns)
    products = [value * value for i in range(columns) for _ in range(i)]
    np.testing.assert_allclose(quiet.deviations, 3.0 * np.linalg.norm(products))


def test_without_noise_columns_and_their_dependence_are_those_of_the_rows(rows):
    quiet = Quiet()
    counted = private_counts(KIND, rows, noise=1.0, random=quiet)
    copula = GaussianCopula.private(KIND, counted, noise=1.0, random=quiet)
    made = copula.rows_of(np.random.default_rng(2).standard_normal((6000, 4)))
    there = rows["n"][~np.isnan(rows["n"])]
    assert np.isnan(made["n"]).mean() == pytest.approx(0.1, abs=0.02)
    for value in range(6):
        share = (made["n"][~np.isnan(made["n"])] == value).mean()
        assert share == pytest.approx((there == value).mean(), abs=0.02)
    for value in "abc":
        assert (made["c"] == value).mean() == pytest.approx((rows["c"] == value).mean(), abs=0.02)
    # Rows that are longer than most are shortened, which costs a little of the correlation.
    assert np.corrcoef(made["x"], made["y"])[0, 1] == pytest.approx(0.8, abs=0.08)
    assert made["x"].std() == pytest.approx(rows["x"].std(), rel=0.05)


def test_much_noise_still_gives_correlations(rows):
    counted = private_counts(KIND, rows, noise=50.0)
    copula = GaussianCopula.private(KIND, counted, noise=1e5)
    factor = np.asarray(copula.factor)
    np.testing.assert_allclose(np.diag(factor @ factor.T), 1.0, rtol=1e-6)
    assert len(copula.rows_of(np.zeros((3, 4)))) == 3
    with pytest.raises(ValueError, match="noise must be above 0, got 0"):
        GaussianCopula.private(KIND, counted, noise=0)


def test_its_promise_is_kept_with_it(rows, tmp_path):
    counted = private_counts(KIND, rows, noise=5.0)
    promise = Guarantee(1.5, 1e-5, 4.0, 1.0, 1, "pld", (5.0,))
    model = kgan.models.TableCopula(
        GaussianCopula.private(KIND, counted, noise=4.0),
        encoder_of_counts(KIND, counted),
        promise=promise,
    )
    model.compile()
    model.save(tmp_path / "copula.keras")
    again = keras.saving.load_model(tmp_path / "copula.keras")
    assert again.promise == promise
    assert again.endpoints().details["privacy"]["epsilon"] == 1.5
    for name, values in model.generate(5, seed=3).columns.items():
        np.testing.assert_array_equal(again.generate(5, seed=3)[name], values)


def test_a_copula_of_each_class(rows):
    """x and y fall together in one class, and rise together in the other two."""
    turned = Rows({**rows.columns, "y": np.where(rows["c"] == "a", -rows["y"], rows["y"])})
    quiet = Quiet()
    known = private_counts_by_class(KIND, turned, "c", noise=3.0, random=quiet)
    # A row adds 1 to one count of its class, in each of three columns, and to that of the class.
    assert quiet.deviations == [3.0 * 2.0] * (1 + 3 * 3)
    shares = [(turned["c"] == one).mean() for one in "abc"]
    np.testing.assert_allclose(known.classes.shares, shares)
    np.testing.assert_allclose(known.totals, np.multiply(shares, 3000))
    whole, once = whole_of(known, "c"), private_counts(KIND, turned, noise=1.0, random=Quiet())
    for name in KIND.columns:
        np.testing.assert_allclose(whole[name.name].shares, once[name.name].shares, atol=1e-12)
    copula = ClassCopula.private(KIND, "c", known, noise=0.1, random=quiet)
    made = copula.rows_of(np.random.default_rng(2).standard_normal((9000, 4)))
    for one, share in zip("abc", shares, strict=True):
        ours, theirs = turned[turned["c"] == one], made[made["c"] == one]
        assert len(theirs) / 9000 == pytest.approx(share, abs=0.02)
        assert theirs["x"].mean() == pytest.approx(ours["x"].mean(), abs=0.1)
        between = [np.corrcoef(rows["x"], rows["y"])[0, 1] for rows in (ours, theirs)]
        assert between[1] == pytest.approx(between[0], abs=0.2)


def test_rows_of_a_copula_by_class_are_those_that_were_saved(rows, tmp_path):
    known = private_counts_by_class(KIND, rows, "c", noise=5.0)
    copula = ClassCopula.private(KIND, "c", known, noise=4.0)
    model = kgan.models.TableCopula(copula, encoder_of_counts(KIND, whole_of(known, "c")))
    model.compile()
    model.save(tmp_path / "copula.keras")
    again = keras.saving.load_model(tmp_path / "copula.keras").generate(5, seed=3)
    for name, values in model.generate(5, seed=3).columns.items():
        np.testing.assert_array_equal(again[name], values)


def test_a_class_without_rows_is_made_by_noise_alone(rows):
    few = rows[rows["c"] != "c"]
    known = private_counts_by_class(KIND, few, "c", noise=0.5)
    copula = ClassCopula.private(KIND, "c", known, noise=0.5)
    made = copula.rows_of(np.random.default_rng(2).standard_normal((500, 4)))
    assert (made["c"] == "c").mean() < 0.02
    assert np.isfinite(made["x"]).all()


def test_a_single_column_has_no_correlations(rows):
    kind = Table((KIND.column("c"),))
    counted = private_counts(kind, rows, noise=1.0)
    copula = GaussianCopula.private(kind, counted, noise=1.0)
    assert len(copula.rows_of(np.zeros((3, 1)))) == 3
