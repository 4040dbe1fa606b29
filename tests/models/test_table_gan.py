"""The GAN of tables: losses by their formulas, what it is asked for, its seeds and its files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
import kgan.dates
import kgan.export
import kgan.models
import kgan.penalties
import kgan.random
from kgan.data.table import table
from kgan.models import TableGAN
from kgan.models.transfer import take_exported
from kgan.networks import table_classifier, table_discriminator, table_generator
from kgan.rows import Rows
from kgan.runs.source import open_source
from tests.models.people import (
    BATCH,
    LATENT,
    PACKING,
    build,
    encoder_of,
    people,
    people_encoder,
)


@pytest.fixture(scope="module")
def trained():
    """A model that has learnt what a condition is."""
    data = people()
    gan = build(data, packing=1)
    gan.compile(
        g_optimizer=keras.optimizers.Adam(5e-3, beta_1=0.5),
        d_optimizer=keras.optimizers.Adam(5e-3, beta_1=0.5),
    )
    gan.fit(kgan.data.feed_rows(data, 60), steps_per_epoch=150, shuffle=False, verbose=0)
    return gan


def linear(size, seed=0):
    """A discriminator whose logit is w . x, and w."""
    inputs = keras.Input((size,))
    outputs = keras.layers.Reshape(())(keras.layers.Dense(1, use_bias=False)(inputs))
    weights = np.random.default_rng(seed).normal(size=(size, 1)).astype(np.float32)
    model = keras.Model(inputs, outputs)
    model.set_weights([weights])
    return model, weights[:, 0].astype(np.float64)


def test_a_steps_losses_are_those_of_the_formulas():
    data = people()
    layout = people_encoder().layout
    whole = layout.size + layout.condition_size
    judge, w = linear(PACKING * whole)
    frozen = lambda: keras.optimizers.SGD(0.0)  # noqa: E731
    gan = build(data, discriminator=judge, optimizer=frozen, several=0.0)
    columns, categories = next(iter(kgan.data.feed_rows(data, BATCH, seed=3)))

    def draw(purpose, function, length):
        seed = kgan.random.step_seed(gan.seed, 0, purpose)
        return function(seed, [BATCH, length]).numpy().astype(np.float64)

    rows = gan.encoder.encode(columns, seed=kgan.random.step_seed(gan.seed, 0, "modes")).numpy()
    asked = np.eye(layout.condition_size)[categories.numpy()]
    latents = np.concatenate([draw("latents", kgan.random.normal, LATENT), asked], axis=1)
    raw = gan.generator(tf.constant(latents, tf.float32), training=True).numpy().astype(np.float64)
    noisy = raw - np.log(-np.log(draw("gumbel", kgan.random.uniform, layout.size)))
    fakes, cross_entropy, start = [], np.zeros(BATCH), 0
    spans = list(layout.conditions.values())
    for size, one_hot in zip(layout.sizes, layout.one_hot, strict=True):
        span = slice(start, start + size)
        powers = np.exp((noisy[:, span] - noisy[:, span].max(1, keepdims=True)) / 0.2)
        fakes.append(powers / powers.sum(1, keepdims=True) if one_hot else np.tanh(raw[:, span]))
        if (start, start + size) in spans:
            offset = sum(
                stop - begin for begin, stop in spans[: spans.index((start, start + size))]
            )
            of = asked[:, offset : offset + size]
            logs = raw[:, span] - np.log(np.exp(raw[:, span]).sum(1, keepdims=True))
            cross_entropy -= (of * logs).sum(1)
        start += size

    def packs(one):
        return np.concatenate([one, asked], axis=1).reshape(BATCH // PACKING, -1)

    real, fake = packs(rows) @ w, packs(np.concatenate(fakes, axis=1)) @ w
    logs = gan.train_step((columns, categories))
    expected = {
        "d_loss": fake.mean() - real.mean(),
        "g_loss": -fake.mean(),
        # A linear discriminator has one gradient everywhere; the norm is that over a whole pack.
        "penalty": 10 * (np.linalg.norm(w) - 1) ** 2,
        "condition_loss": cross_entropy.mean(),
    }
    assert set(logs) == set(expected)
    for name, value in expected.items():
        assert float(logs[name]) == pytest.approx(value, rel=2e-5), name
    # No cross-entropy that is 0 because nothing was asked for.
    assert cross_entropy.min() > 0


def test_the_penalty_takes_one_share_a_pack_and_the_norm_over_it():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(2, 4, 7)).astype(np.float32)
    seed = kgan.random.step_seed(1, 2, "x")
    penalty = kgan.penalties.GradientPenalty(10.0, input_width=1.0)
    # The gradient of |x|^2 / 2 is x.
    found = penalty.per_sample(
        lambda x: tf.reduce_sum(tf.square(x), axis=1) / 2, *map(tf.constant, (real, fake)), seed
    )
    share = kgan.random.uniform(seed, [4, 1]).numpy()
    between = real + share * (fake - real)
    np.testing.assert_allclose(found, (np.linalg.norm(between, axis=1) - 1) ** 2, rtol=1e-5)


def test_a_condition_can_tell_the_mode_of_a_number():
    data = people()
    gan = build(data, conditions="modes")
    layout, told = gan.layout, gan.told
    # All one-hot parts of two places or more, in their order in a row.
    starts = dict(zip(layout.hot_starts.tolist(), layout.hot_sizes.tolist(), strict=True))
    spans = [(start, start + size) for start, size in starts.items() if size > 1]
    assert list(told.spans) == spans
    assert len(spans) == 4
    assert [told.spans[one] for one in told.asked] == list(layout.conditions.values())
    encoded = gan.encoder.encoded_rows(data.samples, seed=1)
    parts = list(zip(told.parts, told.counts, strict=True))
    feed = kgan.data.feed_rows(data, 240, seed=2, encoded=encoded, parts=parts)
    batches = list(feed.take(25))
    rows, numbers = batches[0][0], np.concatenate([one.numpy() for _, one in batches])
    counts = [np.bincount(encoded.codes[:, part], minlength=size) for part, size in parts]
    # Training by sampling: a column, all alike, and a code of it by the logarithm of its count.
    expected = np.concatenate([np.log(one + 1) / np.log(one + 1).sum() / 4 for one in counts])
    found = np.bincount(numbers, minlength=told.size) / 6000
    deviation = np.sqrt(expected * (1 - expected) / 6000)
    assert (np.abs(found - expected) <= 4.5 * deviation).all()
    # Each row has the code that it was drawn for, and is told it.
    row, asked = gan._encoded(rows, tf.constant(numbers[:240]))
    own = gan.encoder.condition(row, "modes").numpy()
    assert (own[np.arange(240), numbers[:240]] == 1).all()
    assert (own[asked.numpy() == 1] == 1).all()
    # Rows are made for conditions by the true counts.
    gan.calibrate(encoded)
    true = np.concatenate([one / one.sum() / 4 for one in counts])
    np.testing.assert_allclose(gan.frequencies.numpy() / 4, true, rtol=1e-12)
    draws = np.random.default_rng(0).random(40_000, dtype=np.float32)
    codes = gan._drawn(tf.constant(draws)).numpy()
    assert ((codes >= 0).sum(axis=1) == 1).all()
    shares = [np.bincount(one[one >= 0], minlength=k) / 40_000 for one, k in
              zip(codes.T, told.counts, strict=True)]  # fmt: skip
    deviation = np.sqrt(true * (1 - true) / 40_000)
    assert (np.abs(np.concatenate(shares) - true) <= 4.5 * deviation).all()


def test_what_the_generator_is_asked_of_modes_it_is_judged_by():
    gan = build(conditions="modes", several=0.0)
    data = people()
    columns = next(iter(kgan.data.feed_rows(data, BATCH)))[0]
    rows, asked = gan._encoded(*gan._unpack(columns))
    np.testing.assert_array_equal(tf.reduce_sum(asked, axis=1), 1.0)
    raw = np.random.default_rng(0).normal(size=rows.shape)
    expected, start = np.zeros(BATCH), 0
    for (first, last), size in zip(gan.told.spans, gan.told.counts, strict=True):
        logs = raw[:, first:last] - np.log(np.exp(raw[:, first:last]).sum(1, keepdims=True))
        expected -= (asked.numpy()[:, start : start + size] * logs).sum(1)
        start += size
    found = gan._unmet(tf.constant(raw, tf.float32), asked)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # What is asked for is forced, whichever part it is.
    codes = np.full((4, 4), -1)
    codes[np.arange(4), np.arange(4)] = 1
    forced = gan._forced(tf.constant(raw[:4], tf.float32), tf.constant(codes, tf.int32)).numpy()
    for row, (first, last) in enumerate(gan.told.spans):
        assert forced[row, first:last].argmax() == 1
        kept = np.delete(np.arange(raw.shape[1]), np.arange(first, last))
        np.testing.assert_array_equal(forced[row, kept], raw[row, kept].astype(np.float32))


def test_a_model_of_modes_is_asked_for_categories_saved_and_exported(tmp_path):
    data = people()
    gan = build(data, conditions="modes", packing=1)
    encoded = gan.encoder.encoded_rows(data.samples)
    gan.calibrate(encoded)
    rows = gan.generate(40, seed=3, where={"level": 1, "sex": "male"})
    assert (set(rows["level"]), set(rows["sex"])) == ({1}, {"male"})
    kgan.export.export(gan, tmp_path / "modes")
    gan.save(tmp_path / "modes.keras")
    loaded = kgan.models.load(tmp_path / "modes.keras")
    assert loaded.conditions == "modes"
    variables = tf.saved_model.load(tmp_path / "modes" / "1").variables
    taken = take_exported(build(data, conditions="modes", packing=1), variables)
    # These are measured anew while training.
    assert {one.rpartition("/")[2] for one in taken.new} <= {"shift", "frequencies"}
    source = open_source(tmp_path / "modes")
    for make in (loaded.generate, lambda n, seed, where: source.generate_where(n, where, seed)):
        again = make(40, seed=3, where={"level": 1, "sex": "male"})
        for name, values in rows.columns.items():
            np.testing.assert_array_equal(again[name], values)
    free = gan.generate(40, seed=4)
    for again in (loaded.generate(40, seed=4), source.generate(40, None, 4)):
        for name, values in free.columns.items():
            np.testing.assert_array_equal(again[name], values)


def test_the_losses_of_the_classifier_of_the_target_are_cross_entropies():
    data = people()
    gan = build(data, target="sex", target_loss=0.5, several=0.0)
    start, stop = gan.layout.conditions["sex"]
    rows = tf.cast(gan._encoded(*gan._unpack(next(iter(kgan.data.feed_rows(data, BATCH)))))[0],
                   tf.float32)  # fmt: skip
    kernels = [one.astype(np.float64) for one in gan.classifier.get_weights() if one.ndim]

    def logs(given):
        for kernel, bias in zip(kernels[::2], kernels[1::2], strict=True):
            before = given @ kernel + bias
            given = np.where(before > 0, before, 0.2 * before)
        return before - np.log(np.exp(before).sum(1, keepdims=True))

    fakes = np.random.default_rng(0).random(rows.shape).astype(np.float32)
    for given in (rows.numpy(), fakes):
        rest = np.concatenate([given[:, :start], given[:, stop:]], axis=1).astype(np.float64)
        expected = -(given[:, start:stop] * logs(rest)).sum(1)
        with tf.GradientTape() as tape:
            tensor = tf.constant(given)
            tape.watch(tensor)
            (loss,) = gan._target_losses(tensor)
        np.testing.assert_allclose(loss, 0.5 * expected, rtol=1e-5)
        # The other columns follow the target.
        slope = tape.gradient(loss, tensor).numpy()
        assert (slope[:, start:stop] == 0).all()
        assert (slope[:, :start] != 0).any()
    before = [one.numpy() for one in gan.classifier.trainable_variables]
    logged = gan.train_step(next(iter(kgan.data.feed_rows(data, BATCH))))
    assert {"classifier_loss", "target_loss"} <= set(logged)
    changed = zip(before, gan.classifier.trainable_variables, strict=True)
    assert all((one != other.numpy()).any() for one, other in changed)


@pytest.mark.slow
def test_a_loss_of_the_target_makes_rows_that_agree_with_it():
    random = np.random.default_rng(0)
    x = random.integers(0, 4, 2000)
    columns = {"x": x.astype(str).astype(object), "odd": np.where(x % 2, "yes", "no")}
    data = table("parity", {**columns, "noise": random.normal(size=2000)})
    agreement = []
    for options in ({}, {"target": "odd", "target_loss": 1.0}):
        # A discriminator that finds all alike: what agrees does so by the classifier alone.
        gan = build(data, packing=1, several=0.0, eager=False, penalties=[], ema_decay=0.9,
                    optimizer=lambda: keras.optimizers.Adam(5e-3), **options)  # fmt: skip
        gan.d_optimizer.learning_rate = 0.0
        gan.discriminator.set_weights([0 * one for one in gan.discriminator.get_weights()])
        encoded = gan.encoder.encoded_rows(data.samples)
        feed = kgan.data.feed_rows(data, 100, encoded=encoded)
        gan.fit(feed, steps_per_epoch=600, shuffle=False, verbose=0)
        made = [gan.generate(500, seed=1, where={"odd": word})["x"] for word in ("no", "yes")]
        agreement.append([np.mean(one.astype(int) % 2 == k) for k, one in enumerate(made)])
    assert min(agreement[0]) < 0.6
    assert min(agreement[1]) > 0.9


def test_a_classifier_its_target_and_its_weight_belong_together():
    with pytest.raises(ValueError, match=r"got target='sex' and target_loss=0\.0"):
        build(target="sex")
    with pytest.raises(ValueError, match=r"target=None and target_loss=1\.0 without a class"):
        build(target_loss=1.0)
    data = people()
    encoder = encoder_of(data)
    gan = build(data)
    options = {"packing": PACKING, "target_loss": 1.0}
    with pytest.raises(ValueError, match=r"classifier's output must have the length 2 .*, got 3"):
        TableGAN(gan.generator, gan.discriminator, encoder, target="sex",
                 classifier=table_classifier(5, 3, width=4), **options)  # fmt: skip
    with pytest.raises(ValueError, match="column of categories must be one of sex, level"):
        TableGAN(gan.generator, gan.discriminator, encoder, target="weight",
                 classifier=table_classifier(5, 3, width=4), **options)  # fmt: skip


def test_without_told_categories_a_row_stands_for_one_of_its_own():
    data = people()
    gan = build(data, several=0.0)
    columns = next(iter(kgan.data.feed_rows(data, BATCH)))[0]
    rows, asked = gan._encoded(*gan._unpack(columns))
    np.testing.assert_array_equal(tf.reduce_sum(asked, axis=1), 1.0)
    own = gan.encoder.condition(rows).numpy()
    assert (own[asked.numpy() == 1] == 1).all()
    sexes = asked.numpy()[:, :2].sum(axis=1)
    assert 0 < sexes.sum() < BATCH  # Now of the one column, now of the other.
    gan.fit(tf.data.Dataset.from_tensors(columns), shuffle=False, verbose=0)


def test_a_table_of_numbers_alone_trains_and_generates():
    random = np.random.default_rng(0)
    data = table("numbers", {"a": random.normal(size=100), "b": random.integers(0, 99, 100)})
    gan = build(data)
    logs = gan.fit(kgan.data.feed_rows(data, BATCH), steps_per_epoch=1, shuffle=False, verbose=0)
    assert logs.history["condition_loss"] == [0.0]
    rows = gan.generate(5)
    data.kind.check("generated", rows)
    with pytest.raises(ValueError, match="for a category, and 'b' holds integer values"):
        gan.generate(2, where={"b": 3})


def test_some_rows_stand_for_several_of_their_own_categories():
    data = people()
    gan = build(data, several=0.5)
    columns, categories = next(iter(kgan.data.feed_rows(data, 240, seed=1)))
    rows, asked = gan._encoded(columns, categories)
    own = gan.encoder.condition(rows).numpy()
    assert (own[asked.numpy() == 1] == 1).all()
    count = asked.numpy().sum(axis=1)
    # A half of the rows may be told of the other column, and half of these are.
    assert set(count) == {1.0, 2.0}
    assert (count == 2).mean() == pytest.approx(0.25, abs=4.5 * np.sqrt(0.25 * 0.75 / 240))
    np.testing.assert_array_equal(asked.numpy()[np.arange(240), categories], 1.0)


def test_an_encoded_batch_is_the_batch_of_columns():
    data = people()
    gan = build(data)
    encoded = gan.encoder.encoded_rows(data.samples, seed=5)
    assert (encoded.places.dtype, encoded.codes.dtype) == (np.float32, np.int32)
    tensors = {
        name: tf.constant(values.tolist() if values.dtype == object else values)
        for name, values in data.samples.columns.items()
    }
    seed = kgan.random.step_seed(5, 0, "modes")
    expected = gan.encoder.encode(tensors, seed=seed).numpy().astype(np.float32)
    np.testing.assert_array_equal(gan.encoder.expand(encoded), expected)
    feeds = [kgan.data.feed_rows(data, BATCH, seed=3, encoded=one) for one in (None, encoded)]
    (columns, categories), (short, same) = (next(iter(feed)) for feed in feeds)
    np.testing.assert_array_equal(categories, same)
    back = gan.encoder.decode(gan.encoder.expand(short))
    np.testing.assert_array_equal(back["sex"], columns["sex"])
    np.testing.assert_allclose(back["weight"], columns["weight"], atol=0.11)
    gan.fit(feeds[1], steps_per_epoch=1, shuffle=False, verbose=0)


def test_a_penalty_of_an_interval_comes_that_much_stronger_and_rarer():
    data = people()
    layout = people_encoder().layout
    judge, w = linear(PACKING * (layout.size + layout.condition_size))
    penalty = kgan.penalties.GradientPenalty(10.0, interval=4, input_width=1.0)
    frozen = lambda: keras.optimizers.SGD(0.0)  # noqa: E731
    gan = build(data, discriminator=judge, optimizer=frozen, penalties=[penalty])
    feed = iter(kgan.data.feed_rows(data, BATCH))
    found = []
    for _ in range(5):
        gan.reset_metrics()
        found.append(float(gan.train_step(next(feed))["penalty"]))
    full = 40 * (np.linalg.norm(w) - 1) ** 2
    np.testing.assert_allclose(found, [full, 0, 0, 0, full], rtol=2e-5)


def test_conditions_are_drawn_by_the_true_frequency():
    gan = build()
    n = 40_000
    draws = tf.constant(np.random.default_rng(0).random(n, dtype=np.float32))
    codes = gan._drawn(draws).numpy()
    assert ((codes >= 0).sum(axis=1) == 1).all()
    shares = np.concatenate([np.bincount(one[one >= 0], minlength=k) / n for one, k in
                             zip(codes.T, (2, 3), strict=True)])  # fmt: skip
    expected = np.asarray(gan.encoder.frequencies) / 2
    assert expected[2] < 0.04  # Of the logarithm it would be far more.
    deviation = np.sqrt(expected * (1 - expected) / n)
    assert (np.abs(shares - expected) <= 4.5 * deviation).all()


def test_shifted_logits_have_the_shares_of_the_data():
    data = people(2000)
    gan = build(data)
    # An untrained generator has shares of its own.
    kernel = gan.ema_generator.get_layer("rows").bias
    kernel.assign(np.random.default_rng(0).normal(0, 1, kernel.shape))
    before = gan.generate(4000)
    gan.calibrate(gan.encoder.encoded_rows(data.samples))
    after = gan.generate(4000)
    for name in ("sex", "level"):
        column = data.kind.column(name)
        true, *found = (
            np.bincount(column.codes(rows[name]), minlength=len(column.values)) / len(rows)
            for rows in (data.samples, before, after)
        )
        apart = [np.abs(true - one).sum() / 2 for one in found]
        assert apart[0] > 0.04 > 0.02 > apart[1]
    # A function of the weights and the data alone.
    shift = gan.shift.numpy()
    gan.calibrate(gan.encoder.encoded_rows(data.samples))
    np.testing.assert_array_equal(gan.shift.numpy(), shift)


def test_what_is_asked_for_is_met(trained):
    for where in ({"sex": "male"}, {"level": 0}, {"level": 1, "sex": " female"}, {"level": "2"}):
        rows = trained.generate(40, seed=3, where=where)
        assert len(rows) == 40
        for name, value in where.items():
            assert {str(one) for one in rows[name].tolist()} == {str(value).strip()}
    # The generator listens: it would have made most of them so unforced.
    noise = np.random.default_rng(0).normal(size=(200, LATENT)).astype(np.float32)
    codes = np.tile(trained.codes_of({"sex": "male"}), (200, 1))
    raw = trained._raw(tf.constant(noise), trained._condition(tf.constant(codes)))
    start, stop = trained.layout.conditions["sex"]
    assert (raw.numpy()[:, start:stop].argmax(axis=1) == 1).mean() > 0.6
    # And what depends on it follows: men are heavier.
    weights = [trained.generate(300, where={"sex": sex})["weight"] for sex in ("male", "female")]
    assert weights[0].mean() > weights[1].mean() + 5
    # A row depends on its number and on what is asked for alone.
    few = trained.generate(7, seed=3, where={"level": 0})
    many = trained.generate(40, seed=3, where={"level": 0})[:7]
    assert all((few[name] == many[name]).all() for name in few.columns)
    assert len(trained.generate(0, where={"level": 0})) == 0


def test_what_cannot_be_asked_for_is_refused(trained):
    for where, said in (
        ({"sxe": "male"}, "column of categories must be one of sex, level, .*'sex'"),
        ({"weight": 70}, "where must ask for a category, and 'weight' holds number values"),
        ({"sex": "mail"}, "one of the 2 categories of 'sex', got 'mail'. Did you mean 'male'"),
    ):
        with pytest.raises(ValueError, match=said):
            trained.generate(3, where=where)
    with pytest.raises(ValueError, match="labels must be None"):
        trained.generate(3, [0, 1, 0])


def test_seeds_fix_the_rows_whatever_stands_beside_them(trained):
    rows = trained.generate(100, seed=7)
    trained.kind.check("generated", rows)
    for n in (1, 13, 64, 65):
        part = trained.generate(n, seed=7)
        assert all((part[name] == rows[name][:n]).all() for name in rows.columns)
    other = trained.generate(100, seed=8)
    assert (other["weight"] != rows["weight"]).mean() > 0.5
    # The same by way of the latents, in an order of their own.
    latents = kgan.latents.from_seeds(kgan.latents.example_seeds(7, 100), trained.latent_dim)
    back = trained.decode(tf.reverse(latents, [0]))
    assert all((back[name][::-1] == rows[name]).all() for name in rows.columns)


def test_rows_have_the_tables_own_units(trained):
    rows = trained.generate(200)
    weight = trained.kind.column("weight")
    np.testing.assert_array_equal(
        rows["weight"], np.round(rows["weight"].astype(float), 1).astype(np.float32)
    )
    assert weight.low <= rows["weight"].min() <= rows["weight"].max() <= weight.high
    assert set(rows["sex"]) <= {"male", "female"}


@pytest.mark.parametrize(
    "options", [{}, {"conditions": "modes", "target": "sex", "target_loss": 1.0}]
)
def test_training_goes_on_from_its_file_bit_for_bit(options, tmp_path):
    data = people()
    whole, first = build(data, **options), build(data, **options)
    for gan, steps in ((whole, 4), (first, 2)):
        gan.fit(kgan.data.feed_rows(data, BATCH), steps_per_epoch=steps, shuffle=False, verbose=0)
    first.save(tmp_path / "last.keras")
    for second in (kgan.models.load(tmp_path / "last.keras"), build(data, **options)):
        kgan.models.restore(second, tmp_path / "last.keras")
        second.run_eagerly = True
        feed = kgan.data.feed_rows(data, BATCH, start=2)
        second.fit(feed, steps_per_epoch=2, shuffle=False, verbose=0)
        for one, other in zip(whole.get_weights(), second.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        for name in whole.playing:
            states = (getattr(gan, name).variables for gan in (whole, second))
            for one, other in zip(*states, strict=True):
                np.testing.assert_array_equal(one, other)
        rows, again = whole.generate(9, seed=2), second.generate(9, seed=2)
        assert all((rows[name] == again[name]).all() for name in rows.columns)


def test_sizes_that_do_not_fit_are_named():
    data = people()
    encoder = encoder_of(data)
    generator = table_generator(LATENT + encoder.layout.condition_size, encoder.layout.size)
    with pytest.raises(ValueError, match="discriminator's input must have the length"):
        TableGAN(generator, table_discriminator(10), encoder)
    with pytest.raises(ValueError, match="generator's output must have the length"):
        TableGAN(table_generator(9, 4), table_discriminator(10), encoder)
    for options, said in (
        ({"packing": 0}, "packing must be at least 1, got 0"),
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ({"ema_decay": 1.0}, "ema_decay must be in"),
    ):
        with pytest.raises(ValueError, match=said):
            TableGAN(generator, table_discriminator(10), encoder, **options)
    with pytest.raises(ValueError, match="packing must divide the batch of 10 samples, got 3"):
        build(data).train_step(next(iter(kgan.data.feed_rows(data, 10))))


def test_it_can_be_asked_for_rows_and_latents(trained):
    endpoints = trained.endpoints()
    names = ["generate", "latents", "decode", "interpolate", "generate_where"]
    assert list(endpoints.endpoints) == names
    assert endpoints.kind == trained.kind
    seeds = kgan.latents.example_seeds(5, 6)
    answer = endpoints.endpoints["generate"].function({"seeds": seeds})
    assert list(answer) == ["weight", "visits", "sex", "level"]
    assert [one.dtype for one in answer.values()] == [tf.float32, tf.int64, tf.string, tf.int64]
    rows = trained.generate(6, seed=5)
    served = Rows({name: values.numpy() for name, values in answer.items()})
    assert all((rows[name] == served[name]).all() for name in rows.columns)
    where = endpoints.endpoints["generate_where"].function
    answer = where({"seeds": seeds, "where": tf.constant([["male", "*"]] * 5 + [["*", "0"]])})
    assert answer["sex"].numpy()[:5].tolist() == [b"male"] * 5
    assert answer["level"].numpy()[5] == 0
    expected = trained.generate(6, seed=5, where={"sex": "male"})
    np.testing.assert_array_equal(answer["weight"].numpy()[:5], expected["weight"][:5])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"where must have, of .*sex"):
        where({"seeds": seeds[:1], "where": tf.constant([["mail", "*"]])})


def test_every_kind_of_column_is_made_saved_and_loaded(tmp_path):
    random = np.random.default_rng(0)
    n = 120
    days = np.datetime64("1999-12-28") + random.integers(0, 900, n)
    days[:20] = np.datetime64("NaT")
    texts = np.array(kgan.dates.spell(days.astype("datetime64[us]"), "%d.%m.%Y"), object)
    data = table(
        "kinds",
        {
            "id": np.array([f"K-{i:04}" for i in range(n)], object),
            "day": texts,
            "time": np.datetime64("2020-02-28T23:59:58") + random.integers(0, 10**5, n),
            "count": np.where(random.random(n) < 0.3, np.nan, random.integers(0, 99, n)),
            "size": np.where(random.random(n) < 0.3, np.nan, np.round(random.normal(size=n), 2)),
            "flag": random.random(n) < 0.3,
        },
        {"id": "id", "count": "integer"},
    )
    assert [one.type for one in data.kind.columns] == [
        "id", "date", "date", "integer", "number", "boolean"
    ]  # fmt: skip
    gan = build(data, packing=1)
    encoded = gan.encoder.encoded_rows(data.samples)
    back = gan.encoder.spelled(gan.encoder.decode(gan.encoder.expand(encoded)))
    back = data.kind.of_answer({name: values.numpy() for name, values in back.items()})
    for name in ("day", "time", "count", "flag"):
        np.testing.assert_array_equal(back[name], data.samples[name])
    np.testing.assert_allclose(back["size"], data.samples["size"], atol=0.011)
    gan.fit(
        kgan.data.feed_rows(data, BATCH, encoded=encoded), steps_per_epoch=1, shuffle=False,
        verbose=0,
    )  # fmt: skip
    gan.calibrate(encoded)
    rows = gan.generate(300, seed=4)
    data.kind.check("generated", rows)
    assert len(set(rows["id"])) == 300
    assert all(one.startswith("K-") for one in rows["id"])
    for name in ("day", "count", "size"):
        gone = data.kind.column(name).gone(rows[name]).mean()
        assert gone == pytest.approx(
            data.kind.column(name).gone(data.samples[name]).mean(), abs=0.1
        )
    gan.save(tmp_path / "kinds.keras")
    again = kgan.models.load(tmp_path / "kinds.keras").generate(300, seed=4)
    for name, values in rows.columns.items():
        np.testing.assert_array_equal(again[name], values)
    answer = (
        gan.endpoints()
        .endpoints["generate"]
        .function({"seeds": kgan.latents.example_seeds(4, 300)})
    )
    spelled = kgan.dates.spell
    written = [text.decode() for text in answer["day"].numpy()]
    assert written == spelled(rows["day"], "%d.%m.%Y")
    written = [text.decode() for text in answer["time"].numpy()]
    assert written == spelled(rows["time"], "%Y-%m-%d %H:%M:%S")
