"""The private GAN of tables: a record's influence, what reaches the generator, its promise."""

import keras
import numpy as np
import pytest

import kgan.data
import kgan.models
import kgan.penalties
from kgan.kinds import Table
from kgan.networks import private_encoder, table_discriminator, table_generator
from kgan.privacy import epsilon_of
from kgan.rows import Category, Integer, Number, Rows

RECORDS = 40
KIND = Table(
    (
        Number("price", 0.0, 100.0, 1),
        Integer("visits", 0, 50, True),
        Category("sex", ("female", "male")),
        Category("level", (0, 1, 2)),
    )
)


def rows():
    random = np.random.default_rng(0)
    visits = random.integers(0, 51, RECORDS).astype(float)
    visits[::5] = np.nan
    return Rows(
        {
            "price": random.uniform(0, 100, RECORDS).round(1).astype(np.float32),
            "visits": visits,
            "sex": random.choice(["female", "male"], RECORDS).astype(object),
            "level": random.integers(0, 3, RECORDS),
        }
    )


def dataset(given):
    return kgan.data.Dataset("few", given, kind=KIND)


@pytest.fixture(scope="module")
def data():
    return dataset(rows())


def build(**options):
    keras.utils.set_random_seed(0)
    options = {
        "records": RECORDS,
        "batch_size": 10,
        "noise": 1.0,
        "delta": 1e-3,
        "key": (1, 2),
        "released": (5.0,),
        **options,
    }
    encoder = private_encoder(KIND, rows(), noise=5.0, random=np.random.default_rng(1))
    layout = encoder.layout
    size = layout.told(options.get("conditions", "categories")).size
    gan = kgan.models.PrivateTableGAN(
        table_generator(4 + size, layout.size, width=6),
        table_discriminator(layout.size + size, width=6, dropout=0.0),
        encoder,
        **options,
    )
    gan.compile(
        g_optimizer=keras.optimizers.SGD(0.1),
        d_optimizer=keras.optimizers.SGD(1.0),
        run_eagerly=True,
    )
    return gan


def fit(gan, data, steps=1, start=0):
    feed = kgan.data.private_rows(
        data,
        gan.batch_size,
        encoded=gan.encoder.encoded_rows(data.samples),
        key=gan.key,
        draws=gan.n_critic,
        start=start,
    )
    return gan.fit(feed, steps_per_epoch=steps, shuffle=False, verbose=0)


def change(gan, data):
    """What a step of gradient descent at rate 1 takes from the discriminator, as one vector."""
    before = [one.numpy() for one in gan.discriminator.trainable_variables]
    fit(gan, data)
    after = [one.numpy() for one in gan.discriminator.trainable_variables]
    return np.concatenate([np.ravel(a - b) for a, b in zip(before, after, strict=True)])


def test_one_record_changes_an_update_by_at_most_its_share(data):
    """Two tables that differ in one record, all of them taken, without noise and with it."""
    columns = {name: values.copy() for name, values in data.samples.columns.items()}
    columns["price"][7], columns["visits"][7] = 100.0 - columns["price"][7], 50.0
    columns["sex"][7] = "male" if columns["sex"][7] == "female" else "female"
    other = dataset(Rows(columns))
    for noise in (0.0, 2.0):
        options = {"noise": noise, "batch_size": RECORDS, "clip_norm": 0.05}
        difference = change(build(**options), data) - change(build(**options), other)
        # One record goes and another comes, each at most clip_norm over the batch.
        assert 1e-5 < np.linalg.norm(difference) <= 2 * 0.05 / RECORDS * 1.001


def test_conditions_on_modes_are_drawn_by_the_noisy_counts(data):
    gan = build(conditions="modes")
    known = [gan.encoder.shares()[part] for part in gan.told.parts]
    np.testing.assert_array_equal(gan.frequencies, np.concatenate(known))
    # The price, the visits and whether they are there, the sex, the level.
    assert len(known) == 4
    fit(gan, data)
    gan.calibrate(None)
    np.testing.assert_array_equal(gan.frequencies, np.concatenate(known))
    # A record stands for one of its own.
    rows = gan.encoder.expand(gan.encoder.encoded_rows(data.samples))
    own = gan.encoder.condition(rows, "modes").numpy()
    shown = gan._one_of(gan._own(rows), "column 0").numpy()
    assert (shown.sum(axis=1) == 1).all()
    assert (own[shown == 1] == 1).all()
    assert len(gan.generate(5, where={"sex": "male"})) == 5


def test_the_noise_has_its_deviation(data):
    quiet, loud = (change(build(noise=noise, clip_norm=0.5), data) for noise in (0.0, 8.0))
    noise = (loud - quiet) * 10
    assert noise.std() == pytest.approx(8.0 * 0.5, rel=4 / np.sqrt(2 * len(noise)))


def test_records_do_not_reach_the_generator(data):
    """Two tables of other records: where the discriminator stands still, they do the same."""
    other = dataset(rows()[[0] * RECORDS])
    found = []
    for one in (data, other):
        gan = build()
        gan.d_optimizer.learning_rate = 0.0
        fit(gan, one)
        found.append([weight.numpy() for weight in gan.generator.weights])
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(data, tmp_path):
    whole, first = build(n_critic=2), build(n_critic=2)
    fit(whole, data, steps=3)
    fit(first, data, steps=2)
    first.calibrate(None)
    first.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    again.run_eagerly = True
    np.testing.assert_array_equal(again.key, [1, 2])
    fit(again, data, start=2)
    for name in ("generator", "discriminator", "encoder"):
        pairs = zip(getattr(whole, name).weights, getattr(again, name).weights, strict=True)
        for one, other in pairs:
            np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert again.guarantee() == whole.guarantee()


def test_the_promise_counts_what_the_encoder_was_told(data):
    gan = build(n_critic=2)
    fit(gan, data)
    promise = gan.endpoints().details["privacy"]
    spending = {"sampling_rate": 0.25, "noise": 1.0, "steps": 2, "delta": 1e-3}
    assert promise["epsilon"] == epsilon_of(**spending, released=(5.0,))
    assert promise["epsilon"] > epsilon_of(**spending)
    assert (promise["steps"], promise["released"]) == (2, (5.0,))
    assert "key" not in gan.get_config()


def test_shares_of_its_rows_are_those_that_the_encoder_was_told(data):
    gan = build()
    gan.calibrate(None)
    made = gan.generate(4000, seed=2)
    level = np.asarray(gan.encoder.frequencies)[2:]
    found = np.bincount(made["level"], minlength=3) / 4000
    np.testing.assert_allclose(found, level, atol=0.04)
    gone = gan.encoder.shares()[1][-1]
    assert np.isnan(made["visits"]).mean() == pytest.approx(gone, abs=0.04)


def test_what_it_logs_is_of_generated_rows(data):
    logged = set(fit(build(), data).history)
    rates = {"g_learning_rate", "d_learning_rate"}
    assert logged == {"g_loss", "d_fake", "condition_loss", *rates}


def test_what_a_record_stands_for_hangs_on_the_record_and_the_step(data):
    """Not on its place in a batch, so an audit knows it."""
    gan = build(conditions="modes")
    encoded = gan.encoder.encoded_rows(data.samples)
    canaries = kgan.data.Canaries(data, np.ones(20, bool), witnesses=5, averaged=15)
    feed = kgan.data.private_rows(
        data, RECORDS, encoded=encoded, key=gan.key, canaries=canaries, seed=3
    )
    first, second = ({name: rows_of(one) for name, one in parts(batch)} for batch in feed.take(2))
    assert len(set(first["all"].values())) == RECORDS
    assert first["all"] != second["all"]
    # All of them take part here, so those that are watched are among them.
    for part in ("watched", "averaged"):
        assert first[part].items() <= first["all"].items()
    assert len(first["watched"]) == 20 + 5


def parts(batch):
    return [("all", batch), ("watched", batch["watched"]), ("averaged", batch["averaged"])]


def rows_of(part):
    """The chance of each row, which is told by all that it holds."""
    rows = np.concatenate([one.numpy() for one in part["samples"]], axis=1)
    return dict(zip(map(tuple, rows.tolist()), part["chances"].numpy().tolist(), strict=True))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        # The size of a pack is checked first.
        ({"packing": 2}, "discriminator's input must have the length"),
        ({"penalties": [kgan.penalties.R1(1.0)]}, "got packing=1 and 1 penalties"),
        ({"several": 0.5}, "several must be 0 .* got 0.5"),
        ({"loss": "relativistic"}, "loss must be a sum of one of real records"),
        ({"noise": -1}, "noise must be at least 0, got -1"),
        ({"batch_size": 41}, "batch_size must be from 1 to the 40 records, got 41"),
        ({"delta": 0.1}, r"delta must be in \(0, 1/40\), got 0.1"),
        ({"n_critic": 0}, "n_critic must be at least 1, got 0"),
    ],
)
def test_what_would_break_the_promise_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        build(**options)


def test_other_batches_are_refused(data):
    with pytest.raises(ValueError, match=r"a PrivateTableGAN trains on .*private_feed"):
        build().fit(kgan.data.feed_rows(data, 10), steps_per_epoch=1, shuffle=False, verbose=0)
