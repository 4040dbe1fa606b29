"""Three players in one step: who learns from what, and what is left."""

import keras
import numpy as np
import pytest

import kgan.data
from kgan.attacks import AdvGAN
from kgan.defenses import GenerativeAdversarialTraining, OverfittingGuard
from kgan.models import PerturbationGAN
from tests.defenses.conftest import sparse_loss

SMALL = {"width": 4, "blocks": 1, "epsilon": 0.15}


def make(classifier, **settings):
    training = GenerativeAdversarialTraining(classifier, **{**SMALL, **settings})
    training.compile(keras.optimizers.Adam(3e-3), sparse_loss(), metrics=["accuracy"])
    return training


def steps(n):
    return {"steps_per_epoch": n, "epochs": 1, "shuffle": False, "verbose": 0}


def weights(model):
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


@pytest.mark.slow
def test_the_classifier_withstands_the_generator_and_stays_plain(
    make_classifier, digits, held, tmp_path
):
    classifier = make_classifier()
    config = classifier.get_config()
    training = make(classifier, learning_rate=3e-3)
    guard = OverfittingGuard(held[0][:50], held[1][:50], epsilon=0.15, drop=1.0)
    said = training.fit(*digits, batch_size=64, epochs=16, verbose=0, callbacks=[guard]).history
    assert {"accuracy", "loss", "d_loss", "g_loss", "success", "guard_accuracy"} <= set(said)
    # A new generator finds it harder than a classifier that was trained without one.
    plain = make_classifier()
    plain.compile(keras.optimizers.Adam(3e-3), sparse_loss())
    plain.fit(*digits, batch_size=64, epochs=16, verbose=0)

    def learnt(against):
        attack = AdvGAN(0.15, width=4, blocks=1, steps=150, batch_size=64, learning_rate=3e-3)
        attack.fit(against, *digits)
        return attack.run(against, *held).success.mean()

    assert learnt(plain) > learnt(classifier) + 0.03
    clean = np.mean(classifier.predict(held[0], verbose=0).argmax(axis=1) == held[1])
    assert clean > 0.8
    assert training.classifier is classifier
    assert classifier.get_config() == config
    classifier.save(tmp_path / "hardened.keras")
    assert type(keras.models.load_model(tmp_path / "hardened.keras")) is keras.Sequential
    # Evaluation is the classifier's, on clean images, and moves no player.
    before = weights(training)
    assert training.evaluate(*held, verbose=0)[1] == pytest.approx(clean)
    np.testing.assert_array_equal(before, weights(training))


def test_each_player_has_its_own_weights_and_optimizer(make_classifier, digits):
    training = make(make_classifier(batch_norm=True))
    classifier, players = training.classifier, training.players
    before = [weights(m) for m in (classifier, players.generator, players.discriminator)]
    training.optimizer.learning_rate = 0.0
    training.fit(digits[0][:64], digits[1][:64], batch_size=64, verbose=0)
    # The classifier's weights stay, the statistics of its batch normalisation move.
    layer = classifier.layers[2]
    assert np.abs(layer.moving_mean.numpy()).max() > 0
    kept = [variable.numpy().ravel() for variable in classifier.trainable_variables]
    assert set(np.concatenate(kept)) <= set(before[0])
    assert np.abs(weights(players.generator) - before[1]).max() > 1e-4
    assert np.abs(weights(players.discriminator) - before[2]).max() > 1e-4
    updated = len(training.optimizer.variables)
    assert updated == 2 + 2 * len(classifier.trainable_variables)


@pytest.mark.slow
def test_a_clean_share_of_the_batch_is_trained_on_as_it_is(make_classifier, digits):
    """The classifier's half-step is that of adversarial training on the generator's images."""
    images, labels = digits[0][:64], digits[1][:64]
    training = make(make_classifier(), clean_share=0.25, learning_rate=0.0)
    mixed = images.copy()
    mixed[16:] = training.players(images[16:])
    plain = make_classifier()
    plain.compile(keras.optimizers.Adam(3e-3), sparse_loss())
    plain.fit(mixed, labels, batch_size=64, shuffle=False, verbose=0)
    training.fit(images, labels, batch_size=64, shuffle=False, verbose=0)
    np.testing.assert_allclose(weights(training.classifier), weights(plain), atol=1e-5)


@pytest.mark.slow
def test_a_saved_training_goes_on_as_if_it_had_not_stopped(make_classifier, tmp_path):
    data = kgan.data.load("digits").take(np.arange(200))
    stopped = make(make_classifier(), seed=4, weights={"gan": 0.5}, kappa=1.0)
    stopped.fit(kgan.data.feed(data, 50), **steps(2))
    stopped.save(tmp_path / "training.keras")
    resumed = keras.models.load_model(tmp_path / "training.keras")
    for training in (stopped, resumed):
        training.fit(kgan.data.feed(data, 50, start=2), **steps(2))
    np.testing.assert_array_equal(weights(stopped), weights(resumed))
    for name in ("g_optimizer", "d_optimizer"):
        pair = [getattr(one.players, name).variables for one in (stopped, resumed)]
        for one, other in zip(*pair, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_mistakes(make_classifier, digits):
    with pytest.raises(ValueError, match=r"clean_share must be in \[0, 1\), got 1"):
        make(make_classifier(), clean_share=1.0)
    with pytest.raises(ValueError, match="norm must be one of"):
        make(make_classifier(), norm="l1")
    with pytest.raises(TypeError, match="multiple values for keyword argument 'beta'"):
        make(make_classifier(), beta=2.0)
    with pytest.raises(ValueError, match="weights must be those of"):
        make(make_classifier(), weights={"lsgan": 1.0})
    with pytest.raises(ValueError, match="got uint8"):
        make(make_classifier()).fit((digits[0] * 255).astype("uint8"), digits[1], verbose=0)


def test_players_of_ones_own_are_trained_and_saved(make_classifier, digits, tmp_path):
    made = make(make_classifier()).players
    own = PerturbationGAN(made.generator, made.discriminator, epsilon=0.15, weights={"gan": 0.0})
    own.compile(g_optimizer=keras.optimizers.SGD(0.01), d_optimizer="adam")
    training = make(make_classifier(), players=own)
    assert training.players is own
    training.fit(digits[0][:64], digits[1][:64], batch_size=32, verbose=0)
    assert int(own.step.numpy()) == 2
    training.save(tmp_path / "training.keras")
    again = keras.models.load_model(tmp_path / "training.keras")
    assert again.players.weights_of_terms["gan"] == 0.0
    for each in (training, again):
        each.fit(digits[0][:64], digits[1][:64], batch_size=32, verbose=0)
    np.testing.assert_array_equal(weights(training), weights(again))
    with pytest.raises(ValueError, match=r"epsilon must be at most 0\.15"):
        make(make_classifier(), players=own, epsilon=0.2)
