"""The base of all models with optimizers: its updates against float64, compiling, saving."""

from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.losses
import kgan.models
import kgan.networks
from kgan.models import Players
from tests.models.tug_of_war import TugOfWar, number, samples, tug_of_war

RATE = 0.05


def sgd():
    return keras.optimizers.SGD(RATE)


def scaled():
    return keras.optimizers.LossScaleOptimizer(sgd(), initial_scale=256.0)


def numbers(model):
    networks = [model.judge, model.mover, *([model.coach] if model.coach else [])]
    return [float(network.get_weights()[0][0, 0]) for network in networks]


def by_hand(x, steps, judge=0.5, mover=-2.0, coach=1.0):
    """The three numbers after some steps of gradient descent, in float64."""
    x = x.astype(np.float64)
    for _ in range(steps):
        moved = mover * x
        judge -= RATE * np.mean(2 * (judge * x - 1) * x + 2 * judge * moved**2)
        mover -= RATE * np.mean(2 * (judge * moved - 1) * judge * x)
        coach -= RATE * np.mean(2 * (coach * x - 2) * x)
    return [judge, mover, coach]


@pytest.mark.parametrize("optimizer", [sgd, scaled])
def test_updates_are_the_formulas(optimizer):
    model, x = tug_of_war(optimizer, coach=True), samples()
    for _ in range(4):
        logs = model.train_step(tf.constant(x))
    np.testing.assert_allclose(numbers(model), by_hand(x, 4), rtol=1e-5)
    assert int(model.step.numpy()) == 4
    # Reported losses are the unscaled ones, their means over the steps.
    states = [by_hand(x, step) for step in range(4)]
    wanted = np.mean([np.mean((j * x - 1) ** 2 + (j * m * x) ** 2) for j, m, _ in states])
    assert float(logs["judge_loss"]) == pytest.approx(wanted, rel=1e-5)


def test_a_step_in_a_graph_is_the_step_in_python():
    x = samples(16)
    data = tf.data.Dataset.from_tensor_slices(x).batch(8)
    found = []
    for options in ({}, {"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 2}):
        model = tug_of_war(sgd, coach=True, **options)
        model.fit(data, epochs=2, shuffle=False, verbose=0)
        found.append(numbers(model))
    np.testing.assert_allclose(found, [found[0]] * 4, rtol=1e-6)


def test_float16_keeps_gradients_that_are_too_small_for_it():
    """1e-8 is 0 in float16, whose smallest number is 6e-8; times 2**15 it is not."""

    class Small(TugOfWar):
        def train_step(self, x):
            self._minimise("judge_optimizer", lambda: 1e-8 * tf.cast(self.judge(x), tf.float32))
            return self._end_step()

    moved = {}
    for optimizer in (sgd, lambda: keras.optimizers.LossScaleOptimizer(sgd(), 2.0**15)):
        model = Small(number(0.0, "mixed_float16"), number(0.0))
        model.compile(judge_optimizer=optimizer(), mover_optimizer=sgd(), auto_scale_loss=False)
        model.train_step(tf.ones([8, 1]))
        moved[type(model.judge_optimizer).__name__] = numbers(model)[0]
    assert moved["SGD"] == 0.0
    assert moved["LossScaleOptimizer"] == pytest.approx(-RATE * 1e-8, rel=0.01)


def test_an_infinite_scaled_loss_halves_the_scale_and_moves_nothing():
    model = tug_of_war(lambda: keras.optimizers.LossScaleOptimizer(sgd(), 256.0))
    before = numbers(model)
    model.train_step(tf.constant([[np.inf]]))
    assert numbers(model) == before
    assert float(model.judge_optimizer.dynamic_scale) == 128.0


def test_a_map_of_losses_counts_as_the_mean_of_each_sample():
    values = tf.random.stateless_normal([4, 3, 5, 1], [0, 1])
    np.testing.assert_allclose(
        kgan.losses.per_sample(values), np.mean(values, axis=(1, 2, 3)), rtol=1e-5, atol=1e-7
    )

    class Map(TugOfWar):
        def train_step(self, x):
            weights = tf.reshape(tf.range(6.0), [1, 2, 3])
            self._minimise("judge_optimizer", lambda: self.judge(x)[:, :, None] * weights)
            return self._end_step()

    model = Map(number(0.0), number(0.0))
    model.compile(judge_optimizer=sgd(), mover_optimizer=sgd())
    x = samples()
    model.train_step(tf.constant(x))
    assert numbers(model)[0] == pytest.approx(-RATE * x.mean() * 2.5, rel=1e-5)


def test_a_player_without_networks_does_not_play():
    model = tug_of_war(sgd)
    assert model.coach_optimizer is None
    model.train_step(tf.constant(samples()))
    np.testing.assert_allclose(numbers(model), by_hand(samples(), 1)[:2], rtol=1e-5)


def test_what_compile_takes():
    model = TugOfWar(number(0.5), number(-2.0))
    message = r"compile must be given judge_optimizer, mover_optimizer for this TugOfWar, got "
    with pytest.raises(ValueError, match=message + r"judge_optimizer\."):
        model.compile(judge_optimizer=sgd())
    with pytest.raises(ValueError, match=message + "none"):
        model.compile()
    with pytest.raises(ValueError, match=message + "judge_optimizer, mover_optimizer, coach_opt"):
        model.compile(judge_optimizer=sgd(), mover_optimizer=sgd(), coach_optimizer=sgd())
    with pytest.raises(ValueError, match=message + "judge_optimizer, mover_optimiser"):
        model.compile(judge_optimizer=sgd(), mover_optimiser=sgd())
    one = sgd()
    with pytest.raises(ValueError, match="must be different objects, got the same one"):
        model.compile(judge_optimizer=one, mover_optimizer=one)
    model.compile(judge_optimizer="adam", mover_optimizer="adam", coach_optimizer=None)
    assert type(model.judge_optimizer) is keras.optimizers.Adam
    assert model.judge_optimizer is not model.mover_optimizer


def test_an_epoch_is_of_whole_executions():
    model = tug_of_war(sgd, steps_per_execution=2)
    batches = tf.data.Dataset.from_tensor_slices(samples(24)).batch(8).repeat()
    # Keras would make 4.
    message = r"must be a multiple of the model's steps_per_execution \(2\), got 3. Give 4"
    with pytest.raises(ValueError, match=f"steps_per_epoch {message}"):
        model.fit(batches, steps_per_epoch=3, shuffle=False, verbose=0)
    with pytest.raises(ValueError, match=f"steps_per_epoch {message}"):
        model.fit(batches, None, None, 1, 0, None, 0.0, None, False, None, None, 0, 3)
    with pytest.raises(ValueError, match=f"validation_steps {message}"):
        model.fit(batches, steps_per_epoch=4, validation_data=batches, validation_steps=3)
    with pytest.raises(ValueError, match=f"steps {message}"):
        model.evaluate(batches, steps=3)
    assert int(model.step.numpy()) == 0
    model.fit(batches, steps_per_epoch=4, shuffle=False, verbose=0)
    assert int(model.step.numpy()) == 4


@pytest.mark.parametrize("coach", [False, True])
def test_saved_and_loaded_it_goes_on_identically(coach, tmp_path):
    def adam():
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1))

    x, model = tf.constant(samples()), tug_of_war(adam, coach=coach, steps_per_execution=3)
    for _ in range(2):
        model.train_step(x)
    model.save(tmp_path / "model.keras")
    again = kgan.models.load(tmp_path / "model.keras")
    assert int(again.step.numpy()) == 2
    assert again.steps_per_execution == 3
    for each in (model, again):
        each.train_step(x)
    assert numbers(model) == numbers(again)


def test_one_that_was_not_compiled_is_saved_without_optimizers(tmp_path):
    TugOfWar(number(0.25), number(-2.0)).save(tmp_path / "model.keras")
    again = kgan.models.load(tmp_path / "model.keras")
    assert numbers(again) == [0.25, -2.0]
    assert not again.compiled


class Autoencoder(Players):
    """The example of `Players`, and a test step."""

    optimizers: ClassVar = {"optimizer": ("encoder", "decoder")}
    logs = ("loss",)

    def __init__(self, encoder, decoder, **options):
        super().__init__(**options)
        self.encoder, self.decoder = encoder, decoder
        self._start()

    def train_step(self, samples):
        self._minimise("optimizer", lambda: self._squares(samples))
        return self._end_step()

    def test_step(self, samples):
        self._squares(samples)
        return self._result("loss")

    def _squares(self, samples):
        made = self.decoder(self.encoder(samples, training=True), training=True)
        loss = kgan.losses.l2(made, samples)
        self._log(loss=loss)
        return loss


def test_a_single_player_may_be_called_as_keras_calls_it():
    """Two factors of 1: Keras's callbacks for the learning rate and validation work as ever."""
    model, data = Autoencoder(number(0.5), number(0.5)), samples()
    model.compile(optimizer=sgd())
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    said = model.fit(
        data, validation_data=data, batch_size=8, epochs=2, callbacks=[halve], verbose=0
    ).history
    assert float(model.optimizer.learning_rate) == pytest.approx(RATE / 4)
    a = b = 0.5
    for rate in (RATE / 2, RATE / 4):
        slope = np.mean(2 * (a * b - 1) * data**2)
        a, b = a - rate * slope * b, b - rate * slope * a
    assert float(model.encoder.get_weights()[0][0, 0]) == pytest.approx(a, rel=1e-5)
    wanted = np.mean((a * b - 1) ** 2 * data**2)
    assert said["val_loss"][-1] == pytest.approx(wanted, rel=1e-4)


# Spectral normalisation


def spectral(network):
    """A like network, each dense and convolutional layer of which is normalised."""

    def layer(old):
        kinds = {
            keras.layers.Dense: kgan.networks.SpectralDense,
            keras.layers.Conv2D: kgan.networks.SpectralConv2D,
        }
        return kinds.get(type(old), type(old)).from_config(old.get_config())

    return keras.models.clone_model(network, clone_function=layer)


def largest_singular_values(network):
    """Of the kernels that the spectral layers compute with, which are to be 1."""
    found = []
    for layer in network._flatten_layers():
        if hasattr(layer, "power_iteration"):
            kernel = layer.normalise(layer.kernel).numpy().astype(np.float64)
            matrix = kernel.reshape(-1, kernel.shape[-1])
            found.append(np.linalg.svd(matrix, compute_uv=False)[0])
    assert found
    return np.array(found)


def gan():
    generator = kgan.networks.mlp_generator((2,), 4, width=8)
    discriminator = kgan.networks.mlp_discriminator((2,), width=8)
    return kgan.models.GAN(spectral(generator), spectral(discriminator))


def perturbation_gan():
    victim = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    victim.add(keras.layers.Dense(3))
    model = kgan.models.PerturbationGAN(
        spectral(kgan.networks.perturbation_network((8, 8, 1), width=4, blocks=1)),
        spectral(kgan.networks.dcgan_discriminator((8, 8, 1), width=4)),
        surrogate=spectral(keras.models.clone_model(victim)),
    )
    model.set_victim(lambda images: victim(images, training=False))
    return model


@pytest.mark.parametrize("make", [gan, perturbation_gan])
def test_every_network_is_normalised_as_it_trains(make):
    keras.utils.set_random_seed(0)
    model = make()
    names = [name for names in model.optimizers.values() for name in names if getattr(model, name)]
    before = {name: largest_singular_values(getattr(model, name)) for name in names}
    model.compile(**{name: keras.optimizers.SGD(1e-4) for name in model.optimizers})
    shape = model.generator.outputs[0].shape[1:]
    data = tf.random.stateless_uniform([8, *shape], [0, 1])
    model.fit(
        tf.data.Dataset.from_tensors(data).repeat(), steps_per_epoch=60, shuffle=False, verbose=0
    )
    for name in names:
        after = largest_singular_values(getattr(model, name)) - 1.0
        assert np.abs(after).max() < min(0.02, np.abs(before[name] - 1.0).max() / 5), name


def test_a_scaled_loss_makes_the_same_step_of_a_perturbation_gan(images):
    """Fails where a half-step leaves the scaling out: its steps are 256 times too small."""
    weights = []
    for optimizer in (sgd, scaled):
        keras.utils.set_random_seed(0)
        model = perturbation_gan()
        model.compile(**{name: optimizer() for name in model.optimizers})
        start = model.get_weights()
        model.fit(tf.data.Dataset.from_tensors(images), epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    moved = max(np.abs(a - b).max() for a, b in zip(start, weights[0], strict=True))
    assert moved > 1e-3
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
