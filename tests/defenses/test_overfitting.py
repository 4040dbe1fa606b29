"""A real collapse: one-step training on MNIST that unlearns robustness, and the guard."""

import keras
import numpy as np
import pytest

import kgan.data
from kgan.attacks import FGSM, PGD
from kgan.defenses import AdversarialTraining, OverfittingGuard
from kgan.networks.classifiers import strided_cnn
from tests.defenses.conftest import sparse_loss

EPSILON, EPOCHS = 0.3, 4


def fit(training, data, rate, *, epochs, steps, callbacks=()):
    training.compile(keras.optimizers.Adam(rate), sparse_loss())
    training.fit(
        kgan.data.feed(data, 100),
        steps_per_epoch=steps,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )


def robust_start(data):
    """What 2,400 updates of "fast" give."""
    keras.utils.set_random_seed(0)
    classifier = strided_cnn((28, 28, 1), 10, width=16)
    rate = keras.optimizers.schedules.CosineDecay(2e-4, 1440, warmup_target=5e-3, warmup_steps=960)
    training = AdversarialTraining(classifier, method="fast", epsilon=EPSILON)
    fit(training, data, rate, epochs=4, steps=600)
    return classifier


def go_on(classifier, data, held, test, *, guarded):
    """Trains on, by one step from the image itself: (guard, accuracies before and by epoch)."""
    images, labels = test.as_float()[:300], test.labels[:300]
    accuracies = []

    def look(epoch=None, logs=None):
        attacks = FGSM(EPSILON), PGD(EPSILON, steps=20)
        accuracies.append(
            [1 - float(attack.run(classifier, images, labels).success.mean()) for attack in attacks]
        )

    look()
    training = AdversarialTraining(classifier, attack=FGSM(EPSILON))
    guard = OverfittingGuard(held.as_float(), held.labels, epsilon=EPSILON, every=10)
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=look), *([guard] if guarded else [])]
    fit(training, data, 1e-2, epochs=EPOCHS, steps=100, callbacks=callbacks)
    look()
    return guard, accuracies


@pytest.mark.slow
def test_the_guard_fires_where_robustness_is_unlearnt_and_keeps_what_there_was(tfds_data_dir):
    train, test = kgan.data.load("mnist"), kgan.data.load("mnist", "test")
    held, data = train.take(np.arange(200)), train.take(np.arange(200, len(train)))
    classifier = robust_start(data)
    weights = classifier.get_weights()
    _, without = go_on(classifier, data, held, test, guarded=False)
    print("without", without)
    # The attack it trains with says that all is well.
    assert without[-1][0] > 0.8
    assert without[-1][1] < without[0][1] - 0.3
    classifier.set_weights(weights)
    guard, accuracies = go_on(classifier, data, held, test, guarded=True)
    print("with", accuracies, guard.best)
    assert guard.fired
    assert accuracies[-1][1] > without[-1][1] + 0.2
    assert abs(accuracies[-1][1] - guard.best) < 0.1
