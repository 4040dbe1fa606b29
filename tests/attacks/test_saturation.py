"""Models so sure of their answers that float32 rounds their gradients to 0."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kgan.attacks import PGD, Confidence, Victim, victim_of
from kgan.attacks.losses import cross_entropy
from kgan.attacks.mixtures import scores_of
from kgan.attacks.norms import normalize

# Logits of the digits classifier differ by some 20, which no float32 softmax survives times this.
SHARP = 40.0
ATTACK = PGD(0.1, steps=10)


def _shares(scores):
    return ops.softmax(SHARP * scores)


def _own_sum(scores):
    shares = _shares(scores) ** 0.5
    return shares / ops.sum(shares, axis=1, keepdims=True)


ENDS = {
    "softmax": _shares,
    "sigmoid": lambda z: ops.sigmoid(SHARP * z),
    "softmax twice": lambda z: ops.softmax(_shares(z)),
    "log": lambda z: ops.log(_shares(z)),
    "log with a floor": lambda z: ops.log(_shares(z) + 1e-9),
    "limits": lambda z: ops.clip(_shares(z), 1e-7, 1 - 1e-7),
    "smoothed": lambda z: 0.9 * _shares(z) + 0.01,
    "percent": lambda z: 100 * _shares(z),
    "shares of a sum": _own_sum,
    "exponentials": lambda z: ops.exp(z) / ops.sum(ops.exp(z), axis=1, keepdims=True),
    "tanh": lambda z: ops.tanh(z),
    "ensemble": lambda z: (_shares(z) + ops.softmax(SHARP / 2 * z)) / 2,
    "mean of a stack": lambda z: ops.mean(ops.stack([_shares(z), ops.softmax(z)]), axis=0),
}


def _ending(model, end):
    images = keras.Input((8, 8, 1))
    return keras.Model(images, end(model(images)))


@pytest.fixture(scope="module")
def fooled(model, some):
    return ATTACK.run(model, *some).success


# Those that are computed otherwise than the others, by default.
@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("softmax", "log with a floor", "ensemble")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in ENDS
    ],
)
def test_how_sure_a_model_is_does_not_protect_it(name, model, some, fooled):
    found = ATTACK.run(_ending(model, ENDS[name]), *some).success
    assert 0.3 < fooled.mean() < 1
    # The surer the model, the more its cross-entropy is like a margin: not the same way, nor worse.
    assert np.sum(fooled & ~found) <= 1


def test_a_sigmoid_beside_its_rest_is_two_logits(model, some):
    score = keras.Sequential([model, keras.layers.Dense(1, kernel_initializer="ones")])
    for turned in (False, True):

        def end(images, turned=turned):
            share = ops.sigmoid(score(images))
            return ops.concatenate([share, 1 - share][:: 1 if turned else -1], axis=1)

        inputs = keras.Input((8, 8, 1))
        victim = victim_of(keras.Model(inputs, end(inputs)), some[0])
        logits = victim.predict(some[0])
        want = score(some[0]).numpy()[:, 0] * (-1 if turned else 1)
        np.testing.assert_allclose(logits[:, 1] - logits[:, 0], want, rtol=1e-5)


@pytest.mark.parametrize(
    ("mix", "weights"),
    [
        (lambda a, b: (a + b) / 2.0, (0.5, 0.5)),
        (lambda a, b: 0.25 * a + b * 0.75, (0.25, 0.75)),
        (lambda a, b: tf.add_n([a, b]), (1, 1)),
        (lambda a, b: tf.reduce_mean(tf.stack([a, b], axis=1), axis=1), (0.5, 0.5)),
        (lambda a, b: tf.reduce_sum(tf.stack([a, b]), axis=0), (1, 1)),
        (lambda a, b: a - b, None),
        (lambda a, b: a * b, None),
        (lambda a, b: tf.reduce_mean(tf.stack([a, b], axis=1), axis=2), None),
    ],
)
def test_the_logs_of_a_weighted_sum_of_softmaxes_are_exact(mix, weights):
    rng = np.random.default_rng(0)
    one, other = (rng.normal(scale=60, size=(7, 4)).astype("float32") for _ in range(2))
    found = []

    @tf.function(autograph=False)
    def scores(one, other):
        found.append(scores_of(mix(tf.nn.softmax(one), tf.nn.softmax(other))))
        return found[0] if found[0] is not None else one

    logs = scores(one, other).numpy()
    assert (found[0] is None) == (weights is None)
    if weights is not None:
        parts = []
        for x, weight in zip((np.float64(one), np.float64(other)), weights, strict=True):
            parts.append(x - np.logaddexp.reduce(x, axis=1, keepdims=True) + np.log(weight))
        np.testing.assert_allclose(logs, np.logaddexp(*parts), rtol=1e-5, atol=1e-5)


def test_the_cross_entropy_has_its_direction_everywhere():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 5)) * np.array([1, 5, 20, 100, 400, 1e4])[:, None]
    labels = logits.argmax(axis=1)
    labels[0] = logits[0].argmin()
    with tf.GradientTape() as tape:
        given = tf.constant(logits, tf.float32)
        tape.watch(given)
        losses = cross_entropy(given, tf.constant(labels, tf.int32))
    gradients = tape.gradient(losses, given).numpy()
    for row, label, loss, found in zip(logits, labels, losses.numpy(), gradients, strict=True):
        lead = np.logaddexp.reduce(np.delete(row, label)) - row[label]
        np.testing.assert_allclose(loss, np.logaddexp(0, lead) + lead * 2.0**-24, rtol=1e-4)
        others = np.where(np.arange(5) == label, -np.inf, row)
        direction = np.exp(others - np.logaddexp.reduce(others))
        direction[label] = -1
        np.testing.assert_allclose(found / np.abs(found).max(), direction, atol=1e-4)
    assert np.all(np.abs(gradients).max(axis=1) >= 2.0**-24)
    # Where the label is the only class that can be, there is no way out.
    alone = tf.constant([[1.0, -np.inf]])
    assert np.isfinite(cross_entropy(alone, tf.constant([0])).numpy()).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_small_changes_get_length_one(norm):
    change = np.array([[3.0, -4.0], [3e-25, -4e-25], [0.0, 0.0]], np.float32)
    wanted = {"linf": [0.75, -1], "l2": [0.6, -0.8], "l1": [3 / 7, -4 / 7]}[norm]
    found = normalize(tf.constant(change), norm).numpy()
    np.testing.assert_allclose(found, [wanted, wanted, [0, 0]], rtol=1e-6)


def test_a_probability_that_counts_is_the_model_s_own(model, some):
    """Behind a smoothing no probability is above 0.91, whatever the logits say."""
    victim = Victim(_ending(model, ENDS["smoothed"]), criterion=Confidence(0.95))
    assert not ATTACK.run(victim, *some).success.any()


def test_that_no_gradient_arrives_is_said(model, some):
    images = keras.Input((8, 8, 1))
    rounded = keras.Model(images, model(ops.round(images * 4) / 4))
    with pytest.warns(UserWarning, match="No gradient of the model reaches"):
        ATTACK.run(rounded, *some)
