"""Gradients of float16 models, against those of the same weights in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import FGSM, PGD, victim_of
from kgan.attacks.attack_batch import AttackBatch

SHAPE = (5, 5, 1)
IMAGES = np.random.default_rng(0).uniform(size=(8, *SHAPE)).astype("float32")
LABELS = np.zeros(8, "int32")


def linear(policy, scale):
    dense = keras.layers.Dense(3, dtype=policy)
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            dense,
            keras.layers.Activation("linear", dtype="float32"),
        ]
    )
    weights = scale * np.random.default_rng(1).normal(size=(25, 3))
    dense.set_weights([weights, np.array([40.0, 0.0, 0.0])])
    return model, weights


@pytest.mark.parametrize(
    "scale",
    # Of the gradients 1e-18 and less that a margin of 40 leaves, float16 keeps none by itself;
    # weights of 300 overflow it where the gradient comes in enlarged.
    [1e-2, 1.0, 300.0],
)
@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_the_gradient_is_that_of_float64(policy, scale):
    model, weights = linear(policy, scale)
    victim = victim_of(model, IMAGES)

    @tf.function(autograph=False)
    def gradient(images, labels):
        batch = AttackBatch(victim.logits, images, labels, keys=labels, targeted=False)
        return batch.gradient(images, lambda logits: batch.gain(logits, labels, "cross_entropy"))

    logits, _, found = gradient(IMAGES, LABELS)
    # Of the logits as float16 has them, which at a scale of 300 are off by more than one. The
    # gradient has the direction of exact arithmetic, of whatever size.
    others = logits.numpy()[:, 1:].astype("float64")
    shares = np.exp(others - np.logaddexp.reduce(others, axis=1, keepdims=True))
    wanted = np.concatenate([-np.ones((len(others), 1)), shares], axis=1) @ weights.T
    found = found.numpy().reshape(8, 25)
    assert np.abs(found).max(axis=1).min() > 0
    found, wanted = (one / np.abs(one).max(axis=1, keepdims=True) for one in (found, wanted))
    np.testing.assert_allclose(found, wanted, atol=5e-3)


def test_pgd_is_as_strong_as_in_float32():
    full, half = (linear(policy, 6.0)[0] for policy in ("float32", "mixed_float16"))
    for attack in (FGSM(0.3), PGD(0.3, steps=10)):
        expected = attack.run(full, IMAGES, LABELS).success
        np.testing.assert_array_equal(attack.run(half, IMAGES, LABELS).success, expected)
    moved = FGSM(0.1).last_iterates(half, IMAGES, LABELS) != IMAGES
    assert moved.any(axis=(1, 2, 3)).all()
    assert any("float16" in text for text in victim_of(half, IMAGES).assumptions)
