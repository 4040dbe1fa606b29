"""A victim that is only a function: the attacks that ask get the same answers as from the model."""

import os
import subprocess
import sys

import numpy as np
import pytest

from kgan.attacks import FGSM, PGD, AutoAttack, RandomNoise, Square, Victim, victim_of
from kgan.robustness import evaluate


def test_scores_and_classes_are_asked_for(model, some):
    images, labels = some
    asked = []

    def scores(images):
        asked.append(len(images))
        return model(images, training=False).numpy()

    def classes(images):
        return scores(images).argmax(axis=1)

    attack = Square(0.1, steps=30)
    expected = attack.run(model, images, labels)
    found = attack.run(Victim(scores), images, labels)
    np.testing.assert_array_equal(found.success, expected.success)
    assert asked
    only = Victim(classes, classes=10)
    np.testing.assert_array_equal(
        victim_of(only, images).predict(images).argmax(axis=1), classes(images)
    )
    noise = RandomNoise(0.3, tries=3)
    np.testing.assert_array_equal(
        noise.run(only, images, labels).success, noise.run(model, images, labels).success
    )


def test_attacks_that_follow_gradients_are_refused(model, some):
    victim = Victim(lambda images: model(images, training=False).numpy())
    for attack in (PGD(0.1), FGSM(0.1)):
        with pytest.raises(ValueError, match="follows gradients"):
            attack.run(victim, *some)
    with pytest.raises(ValueError, match="follows gradients"):
        evaluate(victim, *some, attacks=[RandomNoise(0.1), PGD(0.1)])
    report = evaluate(victim, *some, attacks=[RandomNoise(0.1)])
    assert any("is a function" in text for text in report.assumptions)
    assert any("need a model's gradients" in text for text in report.unchecked)
    left_out = AutoAttack(0.1).left_out(victim, (8, 8, 1))
    assert set(left_out) == {"apgd-ce", "apgd-t", "fab-t"}


def test_what_is_no_answer_is_refused(model, some):
    with pytest.raises(ValueError, match=r"scores of shape \(1, classes\).*classes=10"):
        victim_of(Victim(lambda images: np.zeros(len(images), int)), some[0])
    with pytest.raises(ValueError, match="class numbers of shape"):
        victim_of(Victim(lambda images: np.zeros((len(images), 3)), classes=3), some[0])
    with pytest.raises(TypeError, match=r"keras\.Model or a function"):
        Victim("model.keras")
    with pytest.raises(ValueError, match="classes must be left out"):
        Victim(model, classes=10)


@pytest.mark.parametrize("answer", [-1, 10])
def test_an_answer_that_is_no_class_is_refused(some, answer):
    # As an index, -1 would be the last class.
    victim = Victim(lambda images: np.full(len(images), answer), classes=10)
    with pytest.raises(
        ValueError, match=rf"class numbers that .* returns must be in \[0, 9\], got {answer}"
    ):
        RandomNoise(0.1).run(victim, *some)


_ASKS_KERAS = """
import os
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
import kgan.attacks
import keras
import numpy as np
model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
images = np.random.default_rng(0).random((5, 4, 4, 1), np.float32)
labels = model.predict(images, verbose=0).argmax(axis=1)
victim = kgan.attacks.Victim(lambda images: model.predict(images, verbose=0))
print("asked", kgan.attacks.Square(0.3, steps=5)(victim, images, labels).shape)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no process can be held to a core")
def test_a_function_that_asks_a_keras_model_does_not_wait_for_itself():
    """On one core TensorFlow would have one thread for both."""
    alone = {key: value for key, value in os.environ.items() if key != "TF_NUM_INTEROP_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", _ASKS_KERAS], env=alone, capture_output=True, text=True, timeout=300
    )
    assert "asked (5, 4, 4, 1)" in done.stdout, done.stderr


_LATE = """
import os, warnings
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
import tensorflow as tf
tf.constant(1) + 1
import kgan.attacks
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    kgan.attacks.Victim(lambda images: images)
print("told", [str(one.message) for one in told])
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no process can be held to a core")
def test_one_core_is_warned_of_where_tensorflow_runs_already():
    alone = {key: value for key, value in os.environ.items() if key != "TF_NUM_INTEROP_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", _LATE], env=alone, capture_output=True, text=True, timeout=300
    )
    assert "waits for itself for ever" in done.stdout, done.stderr


def test_one_thread_is_warned_of(model, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "1")
    with pytest.warns(RuntimeWarning, match="waits for itself for ever"):
        Victim(lambda images: model(images).numpy())
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "2")
    Victim(lambda images: model(images).numpy())
