"""The variational autoencoder of tables and the Gaussian copula: losses, laws and files."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import kgan.data
import kgan.export
import kgan.latents
import kgan.models
from kgan.data.table import table
from kgan.models import TableCopula, TableVAE, rows_until_met
from kgan.networks import ClassCopula, GaussianCopula, TableEncoder, table_decoder, table_posterior
from kgan.runs.source import open_source
from tests.models.people import BATCH, LATENT, encoder_of, people


def build(data, *, eager=True):
    keras.utils.set_random_seed(1)
    encoder = encoder_of(data)
    size = encoder.layout.size
    vae = TableVAE(
        table_posterior(size, LATENT, width=8),
        table_decoder(LATENT, size, numbers=len(encoder.layout.places), width=8),
        encoder,
    )
    vae.compile(optimizer=keras.optimizers.Adam(1e-2), run_eagerly=eager)
    return vae


def correlated(n=4000):
    """Two numbers of correlation 0.8, one of them often missing, and a category that follows."""
    random = np.random.default_rng(0)
    first, second = random.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], n).T
    return table(
        "correlated",
        {
            "first": np.where(random.random(n) < 0.2, np.nan, np.exp(first)),
            "second": np.round(second, 2),
            "half": np.where(second > 0, "up", "down").astype(object),
        },
    )


@pytest.fixture(scope="module")
def copula():
    data = correlated()
    encoder = TableEncoder.fitted(data.kind, data.samples)
    model = TableCopula(GaussianCopula.fitted(data.kind, data.samples), encoder)
    model.compile(run_eagerly=True)
    return data, model


def test_the_vaes_loss_is_its_formula():
    data = people()
    vae = build(data)
    layout = vae.layout
    rows = vae.encoder.expand(vae.encoder.encoded_rows(data.samples[:BATCH])).numpy()
    raw = np.random.default_rng(0).normal(size=rows.shape).astype(np.float32)
    deviations = np.full((BATCH, len(layout.places)), [0.1, 0.5], np.float32)
    expected, number, start = np.zeros(BATCH), 0, 0
    for size, one_hot in zip(layout.sizes, layout.one_hot, strict=True):
        span = slice(start, start + size)
        if one_hot:
            logs = raw[:, span] - np.log(np.exp(raw[:, span]).sum(1, keepdims=True))
            expected -= (rows[:, span] * logs).sum(1)
        else:
            law = scipy.stats.norm(np.tanh(raw[:, start]), deviations[:, number])
            # But for the constant of the Gaussian.
            expected -= law.logpdf(rows[:, start]) + 0.5 * np.log(2 * np.pi)
            number += 1
        start += size
    np.testing.assert_allclose(vae.row_loss(rows, raw, deviations), expected, rtol=1e-4)
    logs = vae.train_step(next(iter(kgan.data.feed_rows(data, BATCH))))
    total = 2 * float(logs["reconstruction"]) + float(logs["kl"])
    assert float(logs["loss"]) == pytest.approx(total, rel=1e-5)


def test_a_vae_learns_asks_until_it_is_met_and_goes_on_from_its_file(tmp_path):
    data = people()
    vae = build(data, eager=False)
    encoded = vae.encoder.encoded_rows(data.samples)
    feed = kgan.data.feed_rows(data, 60, encoded=encoded, by_category=False)
    losses = vae.fit(feed, steps_per_epoch=60, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert losses[1] < losses[0]
    vae.calibrate(encoded)
    rows = vae.generate(1000, seed=1)
    data.kind.check("generated", rows)
    assert (rows["sex"] == "male").mean() == pytest.approx(
        (data.samples["sex"] == "male").mean(), abs=0.05
    )
    men = vae.generate(50, seed=1, where={"sex": "male", "level": 1})
    assert (set(men["sex"]), set(men["level"])) == ({"male"}, {1})
    few = vae.generate(5, seed=1, where={"sex": "male", "level": 1})
    assert all((few[name] == men[name][:5]).all() for name in few.columns)
    # A row that is asked for and came unasked is the same.
    place = int(np.flatnonzero((rows["sex"][:50] == "male") & (rows["level"][:50] == 1))[0])
    assert men["weight"][place] == rows["weight"][place]
    vae.save(tmp_path / "vae.keras")
    again = kgan.models.load(tmp_path / "vae.keras")
    same = again.generate(9, seed=2)
    assert all((same[n] == v).all() for n, v in vae.generate(9, seed=2).columns.items())
    for one in (vae, again):
        one.fit(feed, steps_per_epoch=2, shuffle=False, verbose=0)
    for one, other in zip(vae.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_copula_has_the_columns_and_the_correlations(copula):
    data, model = copula
    rows = model.generate(4000, seed=1)
    data.kind.check("generated", rows)
    real, gone = data.samples, np.isnan(rows["first"])
    assert gone.mean() == pytest.approx(0.2, abs=0.03)
    assert scipy.stats.ks_2samp(rows["second"], real["second"]).statistic < 0.04
    there = np.isnan(real["first"])
    assert scipy.stats.ks_2samp(rows["first"][~gone], real["first"][~there]).statistic < 0.05
    assert (rows["half"] == "up").mean() == pytest.approx((real["half"] == "up").mean(), abs=0.03)
    # Missing ones count as the greatest, which takes from the correlation of 0.79 in ranks.
    ranks = [
        scipy.stats.spearmanr(one["first"], one["second"], nan_policy="omit").statistic
        for one in (real, rows)
    ]
    assert ranks[0] == pytest.approx(0.79, abs=0.03)
    assert 0.3 < ranks[1] < ranks[0]
    up = rows["half"] == "up"
    assert rows["second"][up].mean() > rows["second"][~up].mean() + 0.7


@pytest.fixture(scope="module")
def classes():
    """Copulas by class, of which one has two rows in 20,000."""
    random = np.random.default_rng(0)
    kind = random.choice(["a", "b"], 20_000, p=[0.8, 0.2]).astype(object)
    kind[:2] = "rare"
    mean = np.where(kind == "a", 0.0, 5.0)
    data = table(
        "classes",
        {
            "size": np.round(random.normal(mean, 1), 2),
            "kind": kind,
            "side": np.where(random.random(20_000) < 0.3, "left", "right").astype(object),
        },
    )
    copula = ClassCopula.fitted(data.kind, "kind", data.samples)
    model = TableCopula(copula, TableEncoder.fitted(data.kind, data.samples[:500]))
    model.compile(run_eagerly=True)
    return data, model


def test_a_class_that_is_asked_for_has_the_rows_that_came_unasked(classes):
    _, model = classes
    latents = np.random.default_rng(1).normal(size=(2000, model.latent_dim)).astype(np.float32)
    free = model.decode(latents)
    for code, word in enumerate(("a", "b")):
        asked = model.decode(latents, np.tile([code, -1], (2000, 1)))
        assert set(asked["kind"]) == {word}
        own = free["kind"] == word
        assert own.sum() > 300
        for name, values in free.columns.items():
            np.testing.assert_array_equal(asked[name][own], values[own])
    # So these are distributed as rows that are drawn until one is met.
    drawn = rows_until_met(
        lambda seeds: model._of_seeds(seeds, None), 500, table=model.kind, where={"kind": "b"}
    )
    asked = model.generate(500, seed=1, where={"kind": "b"})
    assert scipy.stats.ks_2samp(drawn["size"], asked["size"]).pvalue > 0.001
    assert (asked["side"] == "left").mean() == pytest.approx(0.3, abs=0.09)


def test_a_class_of_one_in_ten_thousand_is_made_at_once(classes, tmp_path):
    data, model = classes
    assert model.copula.shares.numpy()[2] == 1e-4
    rows = model.generate(300, seed=2, where={"kind": "rare"})
    data.kind.check("generated", rows)
    assert len(rows) == 300
    assert set(rows["kind"]) == {"rare"}
    # What else is asked for is drawn for.
    both = model.generate(50, seed=2, where={"kind": "rare", "side": "left"})
    assert (set(both["kind"]), set(both["side"])) == ({"rare"}, {"left"})
    kgan.export.export(model, tmp_path / "classes")
    source = open_source(tmp_path / "classes")
    for where, made in (({"kind": "rare"}, rows), ({"kind": "rare", "side": "left"}, both)):
        again = source.generate_where(len(made), where, 2)
        for name, values in made.columns.items():
            np.testing.assert_array_equal(again[name], values)
    assert len(source.generate_where(0, {"kind": "rare"}, 2)) == 0
    # Each row of a request has a class of its own.
    exported = tf.saved_model.load(tmp_path / "classes" / "1")
    where = tf.constant([["rare"], ["a"], ["*"], ["b"]])
    answer = exported.signatures["generate_where"](
        seeds=kgan.latents.example_seeds(2, 4), where=where
    )
    assert [one.decode() for one in answer["kind"].numpy()[[0, 1, 3]]] == ["rare", "a", "b"]
    np.testing.assert_array_equal(answer["size"].numpy()[0], rows["size"][0])


def test_a_copula_is_asked_saved_and_exported(copula, tmp_path):
    data, model = copula
    model.fit(kgan.data.feed_rows(data, 50), steps_per_epoch=1, shuffle=False, verbose=0)
    assert set(model.generate(30, where={"half": "up"})["half"]) == {"up"}
    rows = model.generate(20, seed=3)
    model.save(tmp_path / "copula.keras")
    kgan.export.export(kgan.models.load(tmp_path / "copula.keras"), tmp_path / "copula")
    exported = tf.saved_model.load(tmp_path / "copula" / "1")
    answer = exported.signatures["generate"](seeds=kgan.latents.example_seeds(3, 20))
    again = data.kind.of_answer({name: values.numpy() for name, values in answer.items()})
    for name, values in rows.columns.items():
        np.testing.assert_array_equal(again[name], values)
    # Its export is told no conditions either, and gives the same rows.
    met = model.generate(30, seed=5, where={"half": "up"})
    source = open_source(tmp_path / "copula")
    again = source.generate_where(30, {"half": "up"}, 5)
    for name, values in met.columns.items():
        np.testing.assert_array_equal(again[name], values)


def test_a_condition_that_is_never_met_says_so(copula, monkeypatch):
    data, model = copula
    monkeypatch.setattr("kgan.models.table_conditions._TRIES", 2)
    model.copula.steps["half"].assign([1.0, 1.0])
    name = data.kind.column("half").values[int(model.copula.orders["half"].numpy()[1])]
    with pytest.raises(ValueError, match="was met by 0 of 4 rows, each drawn 2 times"):
        model.generate(4, where={"half": name})


def by_class(n=(2000, 1000, 12)):
    """Two numbers that rise together in one class and not in the next, and a class of few rows.

    In the second class one number is never present.
    """
    random = np.random.default_rng(3)
    parts = [random.multivariate_normal([k, 0], [[1, c], [c, 1]], m)
             for k, (c, m) in enumerate(zip((0.9, -0.9, 0.0), n, strict=True))]  # fmt: skip
    first, second = np.concatenate(parts).T
    label = np.repeat(["rise", "fall", "rare"], n).astype(object)
    third = np.where(label == "fall", np.nan, first + 3.0)
    columns = {"first": first, "second": second, "third": third, "label": label}
    return table("by-class", columns)


def test_a_copula_of_each_class_knows_what_holds_in_it():
    data = by_class()
    copula = ClassCopula.fitted(data.kind, "label", data.samples)
    rows = copula.rows_of(np.random.default_rng(4).standard_normal((6000, 4)))
    for name, share, correlation in (("rise", 2000, 0.9), ("fall", 1000, -0.9)):
        own = rows["label"] == name
        assert own.mean() == pytest.approx(share / 3012, abs=0.02)
        found = np.corrcoef(rows["first"][own], rows["second"][own])[0, 1]
        assert found == pytest.approx(correlation, abs=0.03)
        assert np.isnan(rows["third"][own]).all() == (name == "fall")
    assert not np.isnan(rows["third"][rows["label"] == "rise"]).any()
    # One of all rows does not tell the classes apart.
    whole = GaussianCopula.fitted(data.kind, data.samples)
    rows = whole.rows_of(np.random.default_rng(4).standard_normal((6000, 4)))
    own = rows["label"] == "fall"
    assert np.corrcoef(rows["first"][own], rows["second"][own])[0, 1] > -0.3


def test_a_class_of_few_rows_is_not_learnt_by_heart():
    data = by_class()
    copula = ClassCopula.fitted(data.kind, "label", data.samples)
    rare = copula.parts[data.kind.column("label").values.index("rare")]
    every = GaussianCopula.fitted(rare.table, data.samples)
    noise = np.random.default_rng(5).standard_normal((50, 3))
    for name in ("first", "second", "third"):
        np.testing.assert_array_equal(rare.rows_of(noise)[name], every.rows_of(noise)[name])


@pytest.mark.parametrize("column", ["first", "label"])
def test_classes_are_the_categories_of_a_column_of_few(column):
    data = by_class()
    assert ClassCopula.suits(data.kind, column) == (column == "label")
    two = table("two", {name: data.samples[name] for name in ("first", "label")})
    assert not ClassCopula.suits(two.kind, "label")
