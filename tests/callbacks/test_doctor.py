"""The doctor names planted illnesses, says nothing of healthy runs, and changes nothing."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.callbacks
import kgan.data
import kgan.latents
import kgan.models
import kgan.networks
from kgan.callbacks import PROBLEMS, CollapseDoctor, VitalSigns
from kgan.callbacks.diagnosis import Patient, diagnose
from kgan.callbacks.vital_signs import Examiner
from kgan.recipes import GANRecipe
from kgan.settings import PRESETS
from tests.conftest import build_growing_gan, slow_but


def train(name, steps, *, every, doctor=None, **changes):
    """Trains a preset for so many steps with a doctor; returns both."""
    settings = dataclasses.replace(PRESETS[name], steps_per_execution=1, **changes)
    recipe = GANRecipe(settings)
    data = recipe.data()
    gan = recipe.model(data)
    size = min(len(data), kgan.callbacks.reference_size(data.sample_shape))
    some = data.take(np.random.default_rng(0).permutation(len(data))[:size])
    doctor = doctor or CollapseDoctor(
        some.as_float(), some.labels, training=data.samples, every=every
    )
    gan.fit(
        recipe.feed(data),
        steps_per_epoch=steps,
        callbacks=[doctor],
        shuffle=False,
        verbose=0,
    )
    return gan, doctor


def names(doctor):
    return {finding.name for finding in doctor.findings}


# The signs


@pytest.fixture
def real():
    """Points of a smooth law in the plane, as 8x8 images that vary along two directions."""
    random = np.random.default_rng(3)
    directions = random.random((2, 8, 8, 1))
    weights = random.random((4000, 2, 1, 1, 1)) / 2
    return (weights * directions).sum(axis=1).astype(np.float32)


@pytest.fixture
def examine(make_gan, real):
    """The vital signs of a GAN that generates the given samples, beside the first 2,000."""

    def run(samples, **options):
        gan = make_gan()
        gan.generate = lambda n, labels=None, seed=0: samples[:n]
        return Examiner(real[:2000], **options).examine(gan)

    return run


def test_samples_of_the_same_law_look_like_the_data(examine, real):
    signs = examine(real[2000:])
    assert signs.finite
    assert signs.spread == pytest.approx(1, abs=0.1)
    # Their expected values; three standard deviations of a share of 256.
    assert signs.coverage == pytest.approx(1 - 2**-5, abs=0.04)
    assert signs.precision == pytest.approx(0.95, abs=0.05)
    assert signs.duplicates < 0.05
    assert signs.copies < 0.05
    assert signs.distance < 0.05


def test_samples_of_a_part_of_the_law_are_precise_and_cover_that_part(examine, real):
    part = real[2000:][real[2000:].mean(axis=(1, 2, 3)) < np.quantile(real, 0.1)]
    signs = examine(np.tile(part, (10, 1, 1, 1)))
    assert signs.precision > 0.8
    assert signs.coverage < 0.5


def test_one_sample_again_and_again_has_no_spread(examine, real):
    signs = examine(np.repeat(real[2000:2001], 256, axis=0))
    assert signs.spread == pytest.approx(0, abs=1e-6)
    assert signs.duplicates == 1
    assert signs.coverage < 0.1


def test_training_samples_are_copies(examine, real):
    assert examine(real[300:]).copies == 1


def test_the_players_signs_are_those_of_the_definitions(make_gan, real):
    gan = make_gan(loss="minimax")
    examiner = Examiner(real[:2000])
    signs = examiner.examine(gan)
    latents = kgan.latents.from_seeds(kgan.latents.example_seeds(0, 64), gan.latent_dim)
    fakes = gan.generator(latents, training=False)
    real_logits = gan.discriminator(real[:64], training=False).numpy()
    fake_logits = gan.discriminator(fakes, training=False).numpy()
    wins = real_logits[:, None] > fake_logits
    assert signs.separation == pytest.approx(wins.mean(), abs=1e-6)
    # d/dx log(1 - sigmoid(x)) = -sigmoid(x)
    assert signs.slope == pytest.approx((1 / (1 + np.exp(-fake_logits))).mean(), rel=1e-5)
    with tf.GradientTape() as tape:
        logits = gan.discriminator(gan.generator(latents, training=False), training=False)
        loss = tf.reduce_mean(-tf.nn.softplus(logits))
    norm = tf.linalg.global_norm(tape.gradient(loss, gan.generator.trainable_variables))
    assert signs.generator_gradient == pytest.approx(float(norm), rel=1e-4)


def test_classes_are_counted_by_the_given_function(examine, real):
    signs = examine(real[2000:], label=lambda images: (images.mean(axis=(1, 2, 3)) > 0.2) * 2)
    assert len(signs.classes) == 3
    assert signs.classes[1] == 0
    assert sum(signs.classes) == pytest.approx(1)


# The rules

HEALTHY = VitalSigns(0, True, 0.7, 0.5, 0.3, 0.6, 0.97, 0.9, 0.9, 0.01, 0.01, 0.1, 0.05, (0.5, 0.5))


@pytest.mark.parametrize(
    ("name", "signs"),
    [
        ("divergence", {"finite": False}),
        ("divergence", {"distance": 0.3}),
        ("mode collapse", {"coverage": 0.1, "spread": 0.2}),
        ("mode collapse", {"coverage": 0.3, "precision": 0.9}),
        ("mode collapse", {"coverage": 0.1, "precision": 0.0, "duplicates": 1.0}),
        ("missing classes", {"classes": (1.0, 0.0)}),
        ("missing classes", {"classes": (1.0,)}),
        ("discriminator too strong", {"separation": 1.0}),
        ("vanishing generator gradient", {"slope": 0.001}),
        ("oscillation", {"movement": 1.0}),
        ("memorisation", {"copies": 1.0}),
    ],
)
def test_each_rule_sees_its_problem_and_only_when_it_lasts(name, signs):
    ill = HEALTHY._replace(**signs)
    series = [HEALTHY] * 3 + [ill] * 6
    found = diagnose(Patient(series, (0.5, 0.5)))
    assert [finding.name for finding in found] == [name]
    assert found[0].figures
    if name != "divergence":
        assert diagnose(Patient([HEALTHY] * 6 + [ill], (0.5, 0.5))) == []
        assert diagnose(Patient([*[ill] * 6, HEALTHY], (0.5, 0.5))) == []


def test_every_problem_has_its_case():
    cases = test_each_rule_sees_its_problem_and_only_when_it_lasts.pytestmark[0].args[1]
    assert {name for name, _ in cases} == set(PROBLEMS)


def test_a_winning_discriminator_is_no_problem_while_samples_get_better():
    series = [HEALTHY._replace(separation=1.0, distance=0.7**k) for k in range(9)]
    assert diagnose(Patient(series)) == []


def test_samples_that_lie_far_away_diverge():
    series = [HEALTHY._replace(distance=distance) for distance in (5.0, 4.0, 3.5)]
    assert [finding.name for finding in diagnose(Patient(series))] == ["divergence"]


# The callback


def test_training_is_the_same_to_the_bit_with_and_without_it(make_gan, images):
    def weights(callbacks, **options):
        gan = make_gan(**options)
        labels = None if gan.num_classes is None else np.arange(16) % 2
        data = images if labels is None else (images, labels)
        dataset = tf.data.Dataset.from_tensor_slices(data).batch(8).repeat()
        gan.run_eagerly = True
        gan.fit(dataset, steps_per_epoch=6, callbacks=callbacks(labels), verbose=0, shuffle=False)
        optimizers = (*gan.g_optimizer.variables, *gan.d_optimizer.variables)
        return [np.asarray(variable) for variable in (*gan.variables, *optimizers)]

    many = np.random.default_rng(1).random((64, 8, 8, 1), dtype=np.float32)
    for options in (
        {"discriminator": {"spectral": True, "minibatch_stddev": True}},
        {"num_classes": 2},
        {"packing": 2, "loss": "relativistic"},
    ):

        def doctor(labels):
            return [CollapseDoctor(many, None if labels is None else np.arange(64) % 2, every=1)]

        pairs = zip(weights(lambda labels: [], **options), weights(doctor, **options), strict=True)
        for without, with_it in pairs:
            np.testing.assert_array_equal(without, with_it)


def fit(gan, images, doctor, *, steps=8, **options):
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8).repeat()
    gan.fit(dataset, steps_per_epoch=steps, callbacks=[doctor], verbose=0, shuffle=False, **options)


def test_a_finding_is_told_once_and_written(make_gan, images, real, tmp_path, capsys):
    doctor = CollapseDoctor(real[:500], every=1, folder=tmp_path)
    gan = make_gan()
    gan.generate = lambda n, labels=None, seed=0: np.repeat(real[:1], n, axis=0)
    fit(gan, images, doctor)
    lines = [line for line in capsys.readouterr().out.splitlines() if "mode collapse" in line]
    assert len(lines) == 1
    assert lines[0].startswith("doctor: mode collapse at step 3 (coverage ")
    assert "Try --loss relativistic" in lines[0]
    written = json.loads((tmp_path / "findings.json").read_text())
    assert written == [finding.as_dict() for finding in doctor.findings]
    first = next(row for row in written if row["name"] == "mode collapse")
    assert (first["step"], first["figures"]["spread"]) == (3, pytest.approx(0, abs=1e-6))
    assert len(doctor.signs) == 8


def test_nothing_is_written_where_nothing_is_found(make_gan, images, real, tmp_path):
    doctor = CollapseDoctor(real[:500], every=4, folder=tmp_path)
    fit(make_gan(), images, doctor)
    assert [signs.step for signs in doctor.signs] == [4, 8]
    assert (doctor.findings, list(tmp_path.iterdir())) == ([], [])


def test_check_ups_keep_their_steps_where_calls_are_several_steps(make_gan, images, real):
    gan = make_gan()
    gan.compile(
        g_optimizer=keras.optimizers.Adam(),
        d_optimizer=keras.optimizers.Adam(),
        steps_per_execution=3,
    )
    doctor = CollapseDoctor(real[:500], every=5)
    fit(gan, images, doctor, steps=12)
    assert [signs.step for signs in doctor.signs] == [6, 12]


def test_it_rolls_back_to_the_best_average_and_stops(make_gan, images, real):
    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                kept.extend(self.model.ema_generator.get_weights())
                weight = self.model.discriminator.trainable_weights[0]
                weight.assign(np.full(weight.shape, np.nan))

    kept = []
    gan = make_gan()
    doctor = CollapseDoctor(real[:500], every=4, roll_back=True)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8).repeat()
    gan.fit(
        dataset,
        steps_per_epoch=100,
        epochs=3,
        callbacks=[doctor, Break()],
        verbose=0,
        shuffle=False,
    )
    assert [finding.name for finding in doctor.findings] == ["divergence"]
    assert int(gan.step.numpy()) == 8
    for network in (gan.generator, gan.ema_generator):
        for before, after in zip(kept, network.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


def test_it_rolls_back_where_another_callback_ended_a_divergence_first(make_gan, images, real):
    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                kept.extend(self.model.ema_generator.get_weights())
            if batch == 5:
                for weight in self.model.generator.trainable_weights:
                    weight.assign(np.full(weight.shape, np.nan))
                self.model.stop_training = True

    kept = []
    gan = make_gan()
    doctor = CollapseDoctor(real[:500], every=4, roll_back=True)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8).repeat()
    callbacks = [doctor, Break()]
    gan.fit(dataset, steps_per_epoch=20, callbacks=callbacks, verbose=0, shuffle=False)
    assert doctor.rolled_back
    assert int(gan.step.numpy()) == 6
    for before, after in zip(kept, gan.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_what_it_rolled_back_to_is_saved_and_trains_on(make_gan, images, real, tmp_path):
    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 5:
                gan = self.model
                players = (gan.generator, gan.discriminator)
                for holder in (*players, gan.g_optimizer, gan.d_optimizer):
                    for weight in (
                        holder.trainable_variables if holder in players else (holder.variables[2:])
                    ):
                        weight.assign(np.full(weight.shape, np.nan))

    gan = make_gan()
    doctor = CollapseDoctor(real[:500], every=4, roll_back=True)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8).repeat()
    how = {"steps_per_epoch": 10, "verbose": 0, "shuffle": False}
    checkpoint = kgan.callbacks.Checkpoint(tmp_path, monitor="d_loss")
    gan.fit(dataset, callbacks=[doctor, Break(), checkpoint], **how)
    assert doctor.rolled_back
    saved = kgan.models.load(tmp_path / "last.keras")
    for kept, weight in zip(gan.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(kept, weight)
    logs = saved.fit(dataset, **how).history
    assert np.isfinite([logs["d_loss"], logs["g_loss"]]).all()


def step_by_step(doctor, gan, steps):
    """Shows the doctor a training in which each weight is a hundredth of the step's number."""
    doctor.set_model(gan)
    doctor.on_train_begin()
    for step in steps:
        gan.step.assign(step)
        for network in (gan.generator, gan.ema_generator, gan.discriminator):
            for weight in network.weights:
                weight.assign(np.full(weight.shape, step / 100, np.float32))
        doctor.on_train_batch_end(0)


def test_networks_that_grow_are_looked_at_from_their_full_size_on(real, capsys):
    """Of two doublings, after the fifth phase of one step each."""
    gan = build_growing_gan()

    def generate(n, labels=None, seed=0):
        # The best distance of all while it is small, and one sample again and again before and
        # after.
        return real[2000 : 2000 + n] if int(gan.step.numpy()) == 4 else np.repeat(real[:1], n, 0)

    gan.generate = generate
    doctor = CollapseDoctor(real[:500], every=1, roll_back=True)
    step_by_step(doctor, gan, range(1, 8))
    assert [signs.step for signs in doctor.signs] == [5, 6, 7]
    assert "doctor: mode collapse at step 7" in capsys.readouterr().out
    assert doctor.rolled_back
    # All three have one distance, so the first is the best.
    for network in (gan.generator, gan.ema_generator, gan.discriminator):
        for weight in network.weights:
            np.testing.assert_array_equal(weight, np.full(weight.shape, 0.05, np.float32))


def test_what_was_found_before_the_full_size_is_told_again_there(real, tmp_path, capsys):
    kept = kgan.callbacks.Finding("memorisation", 5, {"copies": 1.0}, "Try more data.")
    early = kgan.callbacks.Finding("mode collapse", 3, {"coverage": 0.0}, "Try another loss.")
    kgan.callbacks.diagnosis.write_findings(tmp_path / "findings.json", [early, kept])
    gan = build_growing_gan()
    gan.generate = lambda n, labels=None, seed=0: np.repeat(real[:1], n, axis=0)
    doctor = CollapseDoctor(real[:500], every=1, folder=tmp_path)
    step_by_step(doctor, gan, range(5, 8))
    told = capsys.readouterr().out
    assert told.count("mode collapse at step 7") == 1
    assert "memorisation" not in told
    written = json.loads((tmp_path / "findings.json").read_text())
    found = [(row["name"], row["step"]) for row in written]
    assert {("memorisation", 5), ("mode collapse", 7)} <= set(found)
    assert ("mode collapse", 3) not in found


def test_bad_arguments(real):
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        CollapseDoctor(real, every=0)
    with pytest.raises(ValueError, match="real must hold at least 64 samples, got 63"):
        CollapseDoctor(real[:63])


# Planted illnesses


def test_it_sees_a_minimax_gan_collapse_on_the_ring():
    def dense(inputs, outputs):
        points = keras.Input((inputs,))
        features = points
        for _ in range(2):
            features = keras.layers.Dense(64, activation="relu")(features)
        features = keras.layers.Dense(outputs)(features)
        return keras.Model(points, keras.layers.Reshape(())(features) if outputs == 1 else features)

    data = kgan.data.load("ring")
    some = data.samples[np.random.default_rng(0).permutation(len(data))[:5000]]
    keras.utils.set_random_seed(0)
    gan = kgan.models.GAN(dense(16, 2), dense(2, 1), loss="minimax")
    gan.compile(g_optimizer=keras.optimizers.Adam(2e-3), d_optimizer=keras.optimizers.Adam(1e-3))
    doctor = CollapseDoctor(some, training=data.samples, every=200)
    gan.fit(
        kgan.data.feed(data, 256, labels=False),
        steps_per_epoch=1600,
        callbacks=[doctor],
        shuffle=False,
        verbose=0,
    )
    assert "mode collapse" in names(doctor)
    assert max(signs.spread for signs in doctor.signs[-3:]) < 0.5


SMALL = {"generator_width": 16, "discriminator_width": 16, "batch_size": 16}


@pytest.mark.slow
def test_it_sees_a_discriminator_that_is_trained_20_to_1():
    _, doctor = train("digits", 160, every=40, n_critic=20, penalty=(), **SMALL)
    assert "discriminator too strong" in names(doctor)


def test_it_sees_a_gradient_that_the_minimax_loss_lets_vanish():
    _, doctor = train("ring", 300, every=100, loss="minimax", penalty=(), batch_size=256)
    assert "vanishing generator gradient" in names(doctor)


def test_it_sees_a_learning_rate_100_times_too_high():
    rate = 100 * PRESETS["ring"].g_learning_rate
    _, doctor = train(
        "ring", 90, every=30, g_learning_rate=rate, d_learning_rate=rate, batch_size=256
    )
    assert "divergence" in names(doctor)


@keras.saving.register_keras_serializable(package="kgan-tests")
class Recall(keras.layers.Layer):
    """Gives back the training sample whose key is nearest to the latents, nearly unchanged."""

    def __init__(self, samples, latent_dim):
        super().__init__()
        random = np.random.default_rng(0)
        keys = random.standard_normal((latent_dim, len(samples)))
        self.keys = tf.constant(keys / np.linalg.norm(keys, axis=0), tf.float32)
        self.samples = tf.constant(samples)
        self.noise = self.add_weight(shape=(), initializer="zeros", name="noise")

    def call(self, latents):
        rows = tf.argmax(latents @ self.keys, axis=1)
        return tf.clip_by_value(tf.gather(self.samples, rows) + 0.01 * self.noise, 0.0, 1.0)


@pytest.mark.parametrize("known", slow_but([1000, 600], 600))
def test_it_sees_a_generator_that_copies_the_training_set(known, monkeypatch):
    data = kgan.data.load("digits")
    images = data.as_float()[np.random.default_rng(0).permutation(len(data))]
    monkeypatch.setattr(
        keras.models,
        "clone_model",
        lambda model, **_: copier() if model.name == "copier" else model,
    )

    def copier():
        latents = keras.Input((16,))
        return keras.Model(latents, Recall(images, 16)(latents), name="copier")

    gan = kgan.models.GAN(copier(), kgan.networks.dcgan_discriminator((8, 8, 1), width=8))
    gan.compile(g_optimizer=keras.optimizers.Adam(1e-4), d_optimizer=keras.optimizers.Adam(1e-4))
    monkeypatch.setattr(kgan.callbacks.vital_signs, "_MOST_VALUES", known * 64)
    doctor = CollapseDoctor(images[:500], training=np.uint8(255 * images + 0.5), every=5)
    fit(gan, images, doctor, steps=10)
    assert names(doctor) == {"memorisation"}
    # The doctor looks at a part of what it recalls.
    assert doctor.copied_share == pytest.approx(known / len(images))
    copies = doctor.signs[-1].copies
    assert copies == pytest.approx(doctor.copied_share, abs=0.12)


# Health


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param("digits", {}, marks=pytest.mark.slow),
        ("ring", {"batch_size": 256}),
        pytest.param("grid", {"batch_size": 256}, marks=pytest.mark.slow),
    ],
)
def test_it_says_nothing_of_a_healthy_start(name, changes):
    _, doctor = train(name, 300, every=75, **changes)
    assert doctor.findings == []
    assert len(doctor.signs) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "wgan-gp", "ring", "grid"])
def test_it_says_nothing_of_healthy_presets(name):
    config = PRESETS[name]
    steps = config.epochs * config.steps_per_epoch
    _, doctor = train(name, steps, every=250)
    assert doctor.findings == []
    assert len(doctor.signs) == steps // 250
