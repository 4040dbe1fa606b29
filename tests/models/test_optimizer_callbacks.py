"""Compiling by name, and Keras's callbacks that act on `model.optimizer`, for several players."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.callbacks
from kgan.models import GAN, VAE
from kgan.networks.autoencoder import dcgan_decoder, dcgan_encoder
from tests.models.test_given import own_discriminator, own_gan, own_generator, pictures
from tests.models.tug_of_war import TugOfWar, number, samples, tug_of_war

RATES = {"judge": 0.04, "mover": 0.02}


def pulled(callbacks, *, epochs=4, optimizers=None):
    """Trains one step an epoch; the model and the logs."""
    model = TugOfWar(number(0.5), number(-2.0))
    given = optimizers or {
        f"{name}_optimizer": keras.optimizers.SGD(r) for name, r in RATES.items()
    }
    model.compile(**given)
    logs = model.fit(
        samples(), batch_size=8, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0
    )
    return model, logs.history


def rates(model):
    return [float(own.learning_rate) for own in (model.judge_optimizer, model.mover_optimizer)]


def halve(epoch, rate):
    return rate / 2


def plateau():
    """No improvement counts: it halves the rate when the second and each later epoch has ended."""
    return keras.callbacks.ReduceLROnPlateau("judge_loss", 0.5, 1, mode="min", min_delta=9e9)


def scheduler(schedule=halve):
    return keras.callbacks.LearningRateScheduler(schedule)


def of(name, callback):
    return kgan.callbacks.OfOptimizer(f"{name}_optimizer", callback)


@pytest.mark.parametrize(
    ("callback", "trained", "ended"),
    [
        (scheduler, [0.04 / 16, 0.02 / 16], [0.04 / 16, 0.02 / 16]),
        (lambda: scheduler(lambda epoch: 0.01 / (epoch + 1)), [0.0025, 0.0025], [0.0025, 0.0025]),
        (plateau, [0.04 / 4, 0.02 / 4], [0.04 / 8, 0.02 / 8]),
        (lambda: of("mover", scheduler()), [0.04, 0.02 / 16], [0.04, 0.02 / 16]),
        (lambda: of("judge", plateau()), [0.04 / 4, 0.02], [0.04 / 8, 0.02]),
    ],
    ids=["scheduler", "absolute", "plateau", "scheduler of one", "plateau of one"],
)
def test_learning_rates_follow_keras_callbacks(callback, trained, ended):
    """After four epochs: what the last one was trained with, and what is there then."""
    model, logs = pulled([callback()])
    found = [logs["judge_learning_rate"][-1], logs["mover_learning_rate"][-1]]
    np.testing.assert_allclose(found, trained, rtol=1e-6)
    np.testing.assert_allclose(rates(model), ended, rtol=1e-6)
    assert "learning_rate" not in logs


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        (keras.optimizers.schedules.CosineDecay(0.04, 8), 0.04 * 0.5 * (1 + np.cos(np.pi * 3 / 8))),
        (keras.optimizers.schedules.PolynomialDecay(0.04, 8, 0.0), 0.04 * (1 - 3 / 8)),
    ],
    ids=["cosine", "linear"],
)
def test_schedules_are_logged_as_they_fall(schedule, wanted):
    given = {"judge_optimizer": keras.optimizers.SGD(schedule), "mover_optimizer": "sgd"}
    _, logs = pulled([], epochs=3, optimizers=given)
    assert logs["judge_learning_rate"][-1] == pytest.approx(wanted, rel=1e-5)
    assert logs["mover_learning_rate"] == pytest.approx([0.01] * 3)


def test_a_loss_that_is_no_number_ends_the_training_whatever_it_is_called():
    def wild():
        return {"judge_optimizer": keras.optimizers.SGD(1e38), "mover_optimizer": "sgd"}

    stopped = keras.callbacks.TerminateOnNaN()
    _, logs = pulled([stopped], optimizers=wild())
    assert len(logs["judge_loss"]) < 4
    with pytest.raises(RuntimeError, match="NaN or Inf loss"):
        pulled([keras.callbacks.TerminateOnNaN(raise_error=True)], optimizers=wild())
    assert len(pulled([stopped])[1]["judge_loss"]) == 4


def test_an_optimizer_that_is_not_there_is_named():
    callback = kgan.callbacks.OfOptimizer("g_optimizer", keras.callbacks.SwapEMAWeights())
    message = "must be one of judge_optimizer, mover_optimizer of this TugOfWar, got 'g_optimizer'"
    with pytest.raises(ValueError, match=message):
        pulled([callback])


def averaging():
    return {
        f"{name}_optimizer": keras.optimizers.SGD(rate, use_ema=True, ema_momentum=0.9)
        for name, rate in RATES.items()
    }


@pytest.mark.parametrize("frozen", [False, True])
def test_optimizers_with_averages_end_as_keras_ends_them(frozen):
    """The numbers after fit are 0.9-averages of those after each step, in float64."""
    judge, mover = 0.5, -2.0
    x = samples().astype(np.float64)
    means = [judge, mover]
    for step in range(4):
        moved = mover * x
        judge -= 0.04 * np.mean(2 * (judge * x - 1) * x + 2 * judge * moved**2)
        mover -= 0.02 * np.mean(2 * (judge * moved - 1) * judge * x)
        kept = 0.9 if step else 0.0  # Keras begins its average with the first update.
        means = [kept * m + (1 - kept) * n for m, n in zip(means, (judge, mover), strict=True)]
    model, _ = pulled([], optimizers=averaging())
    found = [float(one.get_weights()[0][0, 0]) for one in (model.judge, model.mover)]
    np.testing.assert_allclose(found, means, rtol=1e-5)
    if frozen:
        gan = GAN(own_generator(), own_discriminator())
        gan.compile(keras.optimizers.SGD(0.1, use_ema=True))
        gan.discriminator.get_layer("first").trainable = False
        gan.fit(pictures(), verbose=0, shuffle=False)
        vae = VAE(dcgan_encoder((8, 8, 1), 2, width=2), dcgan_decoder((8, 8, 1), 2, width=2))
        vae.compile(keras.optimizers.SGD(0.1, use_ema=True), run_eagerly=True)
        next(layer for layer in vae.encoder.layers if layer.weights).trainable = False
        vae.fit(np.zeros((4, 8, 8, 1), np.float32), verbose=0)


def test_weights_are_swapped_for_their_averages_while_it_is_tested():
    seen = []

    class Look(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            seen.append(float(self.model.judge.get_weights()[0][0, 0]))

    model = TugOfWar(number(0.5), number(-2.0))
    model.compile(**averaging())
    x = samples()
    swap = keras.callbacks.SwapEMAWeights()
    model.fit(x, batch_size=8, epochs=2, verbose=0, shuffle=False, validation_data=(x,),
              callbacks=[swap, Look()])  # fmt: skip
    averages = model.judge_optimizer._model_variables_moving_average
    assert seen[-1] == pytest.approx(float(averages[0].numpy()[0, 0]))


# compile


def test_one_optimizer_makes_one_for_each():
    for given in ("adam", keras.optimizers.Adam(0.01, beta_1=0.5)):
        gan = own_gan(compiled=False)
        gan.compile(given)
        assert gan.g_optimizer is not gan.d_optimizer
        assert all(type(one) is keras.optimizers.Adam for one in (gan.g_optimizer, gan.d_optimizer))
    assert float(gan.d_optimizer.learning_rate) == pytest.approx(0.01)
    assert gan.d_optimizer.beta_1 == gan.g_optimizer.beta_1 == 0.5
    both = tug_of_war(lambda: keras.optimizers.SGD(0.1))
    alone = TugOfWar(number(0.5), number(-2.0))
    alone.compile(optimizer=keras.optimizers.SGD(0.1))
    for each in (both, alone):
        each.train_step(tf.constant(samples()))
    np.testing.assert_array_equal(both.judge.get_weights(), alone.judge.get_weights())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, r'got none\. Call compile\(g_optimizer="adam", d_optimizer="adam"\), or compile'),
        ({"loss": "mse"}, r"got loss\. .*The loss is given when the model is made"),
        ({"optimizer": "adam", "loss": "mse"}, "got optimizer, loss"),
        ({"optimizer": "adam", "metrics": ["mse"]}, r"MetricMonitor adds scores"),
        ({"g_optimizer": "adam"}, r"got g_optimizer\. Call"),
        ({"optimizer": "adam", "g_optimizer": "adam"}, "got optimizer, g_optimizer"),
    ],
    ids=["nothing", "loss", "both", "metrics", "one", "mixed"],
)
def test_a_wrong_call_is_answered_with_the_right_one(given, said):
    with pytest.raises(ValueError, match=said):
        own_gan(compiled=False).compile(**given)
