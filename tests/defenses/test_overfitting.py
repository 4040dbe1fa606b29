"""A real collapse: one-step training on MNIST that unlearns its robustness, and the guard."""

import keras
import numpy as np
import pytest

import kgan.data
from kgan.attacks import FGSM, PGD
from kgan.defenses import AdversarialTraining, OverfittingGuard
from kgan.networks.classifiers import strided_cnn
from tests.defenses.conftest import sparse_loss

EPSILON, EPOCHS = 0.12, 3


def train(train_set, test_set, *, seed, guarded):
    """One step without a random start, at a high rate: (guard, accuracies after each epoch)."""
    keras.utils.set_random_seed(seed)
    classifier = strided_cnn((28, 28, 1), 10, width=16)
    training = AdversarialTraining(
        classifier, method="fgsm", attack=FGSM(EPSILON), shares=[1.0], seed=seed
    )
    training.compile(keras.optimizers.Adam(7e-3), sparse_loss())
    held, data = train_set.take(np.arange(200)), train_set.take(np.arange(200, 10_200))
    images, labels = test_set.as_float()[:300], test_set.labels[:300]
    accuracies = []

    def look(epoch=None, logs=None):
        attacks = FGSM(EPSILON), PGD(EPSILON, steps=20)
        accuracies.append(
            [1 - attack.run(classifier, images, labels).success.mean() for attack in attacks]
        )

    guard = OverfittingGuard(held.as_float(), held.labels, epsilon=EPSILON)
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=look), *([guard] if guarded else [])]
    training.fit(
        kgan.data.feed(data, 100, seed=seed),
        steps_per_epoch=100,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )
    look()
    return guard, accuracies


@pytest.mark.slow
def test_the_guard_fires_where_robustness_is_unlearnt_and_keeps_what_there_was(tfds_data_dir):
    sets = kgan.data.load("mnist"), kgan.data.load("mnist", "test")
    _, accuracies = train(*sets, seed=0, guarded=False)
    fgsm, pgd = accuracies[-1]
    # The attack it trained with says that all is well.
    assert fgsm > 0.6
    assert pgd < 0.35
    guard, accuracies = train(*sets, seed=0, guarded=True)
    assert guard.fired
    assert len(accuracies) - 1 < EPOCHS
    assert accuracies[-1][1] > pgd + 0.2
    assert accuracies[-1] == accuracies[0]
