"""The private GAN: what its discriminator learns from, what it promises, and what it refuses."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
import kgan.losses
import kgan.models
import kgan.penalties
from kgan.data.private_feed import capacity
from kgan.kinds import Points
from kgan.losses import AdversarialLoss
from kgan.networks import dcgan_discriminator, dcgan_generator

RECORDS = 40


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (RECORDS, 8, 8, 1)).astype(np.uint8)
    return labelled(images, np.arange(RECORDS) % 3)


def labelled(images, labels):
    return kgan.data.Dataset("noise", images, labels.astype(np.int32), ("a", "b", "c"))


def build(**options):
    keras.utils.set_random_seed(0)
    options = {
        "num_classes": 3,
        "records": RECORDS,
        "batch_size": 10,
        "noise": 1.0,
        "delta": 1e-3,
        "key": (1, 2),
        **options,
    }
    classes = options["num_classes"]
    gan = kgan.models.PrivateGAN(
        dcgan_generator((8, 8, 1), 4, num_classes=classes, width=4),
        dcgan_discriminator((8, 8, 1), num_classes=classes, width=4),
        **options,
    )
    gan.compile(
        g_optimizer=keras.optimizers.SGD(0.1),
        d_optimizer=keras.optimizers.SGD(1.0),
        run_eagerly=True,
    )
    return gan


def fit(gan, data, steps=1, start=0):
    feed = kgan.data.private_feed(
        data, gan.batch_size, key=gan.key, draws=gan.n_critic, start=start
    )
    return gan.fit(feed, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)


def change(gan, data):
    """What a step of gradient descent at rate 1 takes from the discriminator, as one vector."""
    before = [one.numpy() for one in gan.discriminator.trainable_variables]
    fit(gan, data)
    after = [one.numpy() for one in gan.discriminator.trainable_variables]
    return np.concatenate([np.ravel(a - b) for a, b in zip(before, after, strict=True)])


def test_a_poisson_feed_pads_and_tells_what_is_real(data):
    stream = kgan.data.private_feed(data, 10, key=np.array([1, 2]), draws=2)
    sizes = []
    for batch in stream.take(60):
        taken = batch["taken"].numpy()
        assert len(taken) == 2 * capacity(RECORDS, 0.25)
        sizes += [taken[::2].sum(), taken[1::2].sum()]
        images = (batch["samples"].numpy()[taken] * 255).round().astype(np.uint8)
        rows = [int(np.flatnonzero((data.samples == one).all(axis=(1, 2, 3)))[0]) for one in images]
        np.testing.assert_array_equal(data.labels[rows], batch["labels"].numpy()[taken])
    # Binomial(40, 1/4): mean 10, variance 7.5.
    assert abs(np.mean(sizes) - 10) < 4 * np.sqrt(7.5 / 120)
    assert 4 < np.var(sizes) < 12
    later = next(iter(kgan.data.private_feed(data, 10, key=np.array([1, 2]), draws=2, start=59)))
    np.testing.assert_array_equal(later["samples"], batch["samples"])


def test_one_record_changes_an_update_by_at_most_its_share(data):
    """Two data sets that differ in one record, all of them taken, without noise and with it."""
    images = data.samples.copy()
    images[7] = 255 - images[7]
    other = labelled(images, data.labels)
    for noise in (0.0, 2.0):
        options = {"noise": noise, "batch_size": RECORDS, "clip_norm": 0.05, "num_classes": None}
        difference = change(build(**options), data) - change(build(**options), other)
        # One record goes and another comes, each at most clip_norm over the batch.
        assert 1e-5 < np.linalg.norm(difference) <= 2 * 0.05 / RECORDS * 1.001


def test_the_noise_has_its_deviation(data):
    quiet, loud = (change(build(noise=noise, clip_norm=0.5), data) for noise in (0.0, 8.0))
    noise = (loud - quiet) * 10
    assert noise.std() == pytest.approx(8.0 * 0.5, rel=4 / np.sqrt(2 * len(noise)))
    assert abs(noise.mean()) < 4 * 4.0 / np.sqrt(len(noise))


def test_real_labels_do_not_reach_the_generator(data):
    """Two sets with equal images and other labels: without a discriminator they are the same."""
    other = labelled(data.samples, (data.labels + 1) % 3)
    found = []
    for one in (data, other):
        gan = build()
        gan.discriminator.trainable = True
        gan.d_optimizer.learning_rate = 0.0
        fit(gan, one)
        found.append([weight.numpy() for weight in gan.generator.weights])
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(data, tmp_path):
    whole, first = build(n_critic=2), build(n_critic=2)
    fit(whole, data, steps=3)
    fit(first, data, steps=2)
    first.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    again.run_eagerly = True
    np.testing.assert_array_equal(again.key, [1, 2])
    fit(again, data, start=2)
    for one, other in zip(whole.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert again.guarantee() == whole.guarantee()
    assert whole.guarantee().steps == 6


def test_the_promise_is_exported_and_the_key_is_not(data):
    gan = build()
    fit(gan, data)
    endpoints = gan.endpoints()
    assert endpoints.details["privacy"]["epsilon"] == gan.guarantee().epsilon > 0
    assert not any(gan._key is one for network in endpoints.tracked for one in network.weights)
    assert "key" not in gan.get_config()


def test_keys_are_drawn_by_the_operating_system():
    assert (build(key=None).key != build(key=None).key).any()


def test_what_it_logs_is_of_generated_samples(data):
    assert set(fit(build(), data).history) == {
        "g_loss",
        "d_fake",
        "g_learning_rate",
        "d_learning_rate",
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"penalties": [kgan.penalties.R1(1.0)]}, "penalties must be empty .* got R1"),
        ({"loss": "relativistic"}, "loss must be a sum of one of real records"),
        ({"loss": (lambda r, f: f - r, lambda r, f: -f)}, "sees no real records"),
        ({"packing": 2, "num_classes": None}, "packing must be 1 .* got 2"),
        ({"noise": -1}, "noise must be at least 0, got -1"),
        ({"clip_norm": 0}, "clip_norm must be above 0, got 0"),
        ({"batch_size": 41}, "batch_size must be from 1 to the 40 records, got 41"),
        ({"delta": 0.1}, r"delta must be in \(0, 1/40\), got 0.1"),
        ({"key": (1,)}, "key must be two whole numbers"),
    ],
)
def test_what_would_break_the_promise_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        build(**options)


@pytest.mark.parametrize("loss", sorted(set(kgan.losses.LOSSES) - {"relativistic"}))
def test_losses_of_two_sums_are_taken(loss):
    build(loss=loss)


def test_a_loss_of_ones_own_is_taken():
    build(loss=AdversarialLoss(lambda r, f: f - r, lambda r, f: -f))


def test_other_batches_are_refused(data):
    gan = build()
    for batches in (kgan.data.feed(data, 10), tf.data.Dataset.from_tensors({"samples": [0.0]})):
        with pytest.raises(ValueError, match=r"kgan\.data\.private_feed"):
            gan.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0)


def test_a_discriminator_that_mixes_or_rounds_is_refused():
    points = keras.Input((2,))
    generator = keras.Model(points, keras.layers.Dense(2)(points))
    for layer, told in (
        (keras.layers.BatchNormalization(), "must judge each record for itself"),
        (keras.layers.Dense(2, dtype="mixed_bfloat16"), "must compute in float32"),
    ):
        logits = keras.layers.Dense(1, dtype="float32")(layer(points))
        judge = keras.Model(points, keras.layers.Reshape((), dtype="float32")(logits))
        with pytest.raises(ValueError, match=told):
            kgan.models.PrivateGAN(
                generator, judge, records=9, batch_size=3, noise=1.0, kind=Points(2)
            )


def test_a_witness_changes_nothing_and_knows_the_canaries():
    """An audited training is the very training; without noise, its canaries are told apart."""
    random = np.random.default_rng(0)
    images = random.integers(100, 130, (80, 8, 8, 1)).astype(np.uint8)
    few = labelled(images, np.arange(80) % 3)
    canaries = kgan.data.with_canaries(few, 30, np.random.default_rng(2))
    options = {"records": 80, "noise": 1e-9, "clip_norm": 0.1, "n_critic": 2}
    trained = []
    for audited in (False, True):
        gan = build(**options)
        gan.compile(
            g_optimizer=keras.optimizers.SGD(0.1),
            d_optimizer=keras.optimizers.SGD(1.0),
        )
        seen = gan.be_audited(len(canaries)) if audited else None
        feed = kgan.data.private_feed(canaries.data, 10, key=gan.key, draws=2, canaries=canaries)
        if not audited:
            feed = feed.map(
                lambda batch: {name: batch[name] for name in ("samples", "labels", "taken")}
            )
        gan.fit(feed, steps_per_epoch=20, shuffle=False, verbose=0)
        trained.append(gan.discriminator.get_weights())
    for plain, other in zip(*trained, strict=True):
        np.testing.assert_array_equal(plain, other)
    scores, included = seen.scores(), canaries.included
    # The share of pairs, one of each kind, in which the included one has the higher score.
    assert (scores[included][:, None] > scores[~included]).mean() > 0.9
    with pytest.raises(ValueError, match="trains on the batches of kgan"):
        fit(gan, few)


def test_an_audit_is_of_one_replica(monkeypatch):
    gan = build()
    two = types.SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: two)
    with pytest.raises(ValueError, match=r"one replica, the strategy has 2"):
        gan.be_audited(10)
