"""Models so sure of their answers that float32 rounds their gradients to 0."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy.special import logsumexp

from kgan.attacks import PGD, Confidence, Victim, victim_of
from kgan.attacks.endings import behind, deciding_as
from kgan.attacks.log_values import log_of, log_of_rest
from kgan.attacks.losses import cross_entropy
from kgan.attacks.norms import normalize

# Logits of the digits classifier differ by some 20, which no float32 softmax survives times this.
SHARP = 40.0
ATTACK = PGD(0.1, steps=10)


def _shares(scores):
    return ops.softmax(SHARP * scores)


def _over_its_sum(values):
    return values / ops.sum(values, axis=1, keepdims=True)


def _ensemble(z):
    return (_shares(z) + ops.softmax(SHARP / 2 * z)) / 2


def _experts(z):
    """Two softmaxes with shares of their own for each image."""
    both = ops.stack([_shares(z), ops.softmax(SHARP / 2 * z)], axis=1)
    return ops.sum(ops.softmax(z[:, :2])[:, :, None] * both, axis=1)


def _sparsemax(z):
    """The nearest point whose values are at least 0 and sum to 1, of Martins and Astudillo."""
    z = SHARP * z
    ordered = -ops.sort(-z, axis=1)
    sums = ops.cumsum(ordered, axis=1)
    taken = ops.cast(1 + ops.arange(1, 11, dtype="float32") * ordered > sums, "float32")
    above = ops.sum(ordered * taken, axis=1, keepdims=True) - 1
    return ops.relu(z - above / ops.sum(taken, axis=1, keepdims=True))


def _threshold(z):
    shares = _shares(z)
    return ops.where(shares > 0.01, shares, ops.zeros_like(shares))


class Smoothing(keras.layers.Layer):
    def call(self, shares):
        return 0.9 * shares + 0.1 / shares.shape[-1]


ENDS = {
    "softmax": _shares,
    "sigmoid": lambda z: ops.sigmoid(z),
    "softmax twice": lambda z: ops.softmax(_shares(z)),
    "log": lambda z: ops.log(_shares(z)),
    "log with a floor": lambda z: ops.log(_shares(z) + 1e-9),
    "limits": lambda z: ops.clip(_shares(z), 1e-7, 1 - 1e-7),
    "smoothed": lambda z: 0.9 * _shares(z) + 0.01,
    "percent": lambda z: 100 * _shares(z),
    "smoothed by a layer": lambda z: Smoothing()(_shares(z)),
    "shares of a sum": lambda z: _over_its_sum(_shares(z) ** 0.5),
    "limits and their sum": lambda z: _over_its_sum(ops.clip(_shares(z), 1e-7, 1 - 1e-7)),
    "experts": _experts,
    "views": lambda z: keras.layers.GlobalAveragePooling1D()(
        keras.layers.TimeDistributed(keras.layers.Softmax())(
            ops.stack([SHARP * z, SHARP / 2 * z], axis=1)
        )
    ),
    "geometric mean": lambda z: _over_its_sum(_shares(z) * ops.softmax(SHARP / 2 * z)),
    "another axis": lambda z: keras.layers.Flatten()(
        keras.layers.Softmax(axis=1)(SHARP * keras.layers.Reshape((10, 1, 1))(z))
    ),
    "log of an ensemble": lambda z: ops.log(_ensemble(z) + 1e-9),
    "limited ensemble": lambda z: ops.clip(_ensemble(z), 1e-7, 1 - 1e-7),
    "less their mean": lambda z: _shares(z) - ops.mean(_shares(z), axis=1, keepdims=True),
    "thousandths": lambda z: ops.round(_shares(z) * 1000) / 1000,
    "threshold": _threshold,
    "sparsemax": _sparsemax,
    "relu": lambda z: ops.relu(z),
    "evidence": lambda z: _over_its_sum(ops.relu(z) + 1),
    "dropout": lambda z: keras.layers.Dropout(0.5)(_shares(z)),
    "exponentials": lambda z: ops.exp(z) / ops.sum(ops.exp(z), axis=1, keepdims=True),
    "tanh": lambda z: ops.tanh(z),
    "ensemble": _ensemble,
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
        if name in ("softmax", "log", "log with a floor", "ensemble", "thousandths")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in ENDS
    ],
)
def test_how_sure_a_model_is_does_not_protect_it(name, model, some, fooled):
    # A threshold may hide what the model is.
    head = "logits" if name in ("threshold", "relu") else None
    found = ATTACK.run(Victim(_ending(model, ENDS[name]), head=head), *some).success
    assert 0.3 < fooled.mean() < 1
    # The surer the model, the more its cross-entropy is like a margin: not the same way, nor worse.
    assert np.sum(fooled & ~found) <= 1


def test_a_tie_is_decided_as_the_model_does(model, some):
    """A sure sigmoid gives 1 to several classes, of which a model names the first."""
    images, labels = some
    tied = _ending(model, lambda z: ops.sigmoid(SHARP * z))
    result = ATTACK.run(tied, images, labels)
    clean, found = (tied(x).numpy().argmax(axis=1) for x in (images, result.adversarial))
    assert np.mean(clean != labels) > np.mean(model(images).numpy().argmax(axis=1) != labels) + 0.2
    np.testing.assert_array_equal(result.success, found != labels)


def test_groups_of_shares_are_no_shares_of_all(model, some):
    def halves(z):
        shares = keras.layers.Softmax()(keras.layers.Reshape((2, 5))(z))
        return keras.layers.Flatten()(shares)

    grouped = _ending(model, halves)
    with pytest.raises(ValueError, match="may be logits or probabilities"):
        ATTACK.run(grouped, *some)
    result = ATTACK.run(Victim(grouped, head="logits"), *some)
    answers = grouped(result.adversarial).numpy().argmax(axis=1)
    np.testing.assert_array_equal(result.success, answers != some[1])


class Hidden(keras.Model):
    """A sure classifier behind a function of its own."""

    def __init__(self, inner):
        super().__init__()
        self.function = tf.function(lambda images: tf.nn.softmax(SHARP * inner(images)))

    def call(self, images):
        return self.function(images)


@pytest.mark.parametrize("targeted", [False, True])
def test_zero_gradients_are_said_where_the_graph_hides_why(model, some, targeted):
    images, labels = some
    how = {"targets": (labels + 1) % 10} if targeted else {"labels": labels}
    hidden = Hidden(model)
    with pytest.warns(UserWarning, match=r"\d+ of \d+ images that PGD left have a gradient of exa"):
        PGD(0.01, steps=2).run(hidden, images, **how)
    # Once for a model.
    PGD(0.02, steps=2).run(hidden, images, **how)


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


# What a graph makes of the logits a and b (7, 4), and the log of that in float64, from the logs of
# the shares of both.
MADE = {
    "mean": (lambda a, b: (tf.nn.softmax(a) + tf.nn.softmax(b)) / 2.0, lambda p, q: _mix(p, q)),
    "weights": (
        lambda a, b: 0.25 * tf.nn.softmax(a) + tf.nn.softmax(b) * 0.75,
        lambda p, q: _mix(p, q, 0.25),
    ),
    "sum": (
        lambda a, b: tf.add_n([tf.nn.softmax(a), tf.nn.softmax(b)]),
        lambda p, q: _mix(p, q) + np.log(2),
    ),
    "mean of a stack": (
        lambda a, b: tf.reduce_mean(tf.nn.softmax(tf.stack([a, b], axis=1)), axis=1),
        lambda p, q: _mix(p, q),
    ),
    "views in a batch": (
        lambda a, b: tf.reduce_mean(
            tf.reshape(tf.nn.softmax(tf.concat([a, b], axis=0)), [2, -1, 4]), axis=0
        ),
        lambda p, q: _mix(p, q),
    ),
    "experts": (
        lambda a, b: tf.reduce_sum(
            tf.nn.softmax(a[:, :2])[:, :, None]
            * tf.stack([tf.nn.softmax(a), tf.nn.softmax(b)], axis=1),
            axis=1,
        ),
        # The softmax of some columns is that of all, over their sum.
        lambda p, q: np.logaddexp(p[:, :1] + p, p[:, 1:2] + q) - np.logaddexp(p[:, :1], p[:, 1:2]),
    ),
    "product": (
        lambda a, b: tf.nn.softmax(a) * tf.sqrt(tf.nn.softmax(b)),
        lambda p, q: p + q / 2,
    ),
    "priors": (
        lambda a, b: (
            (p := tf.nn.softmax(a) * np.float32([1, 2, 3, 4]))
            / tf.reduce_sum(p, axis=1, keepdims=True)
        ),
        lambda p, q: (w := p + np.log([1, 2, 3, 4])) - logsumexp(w, axis=1, keepdims=True),
    ),
    "power": (lambda a, b: tf.nn.softmax(a) ** 0.3, lambda p, q: 0.3 * p),
    "turned": (
        lambda a, b: tf.transpose(tf.nn.softmax(a))[::-1, None, :],
        lambda p, q: p.T[::-1, None, :],
    ),
    "larger": (
        lambda a, b: tf.maximum(tf.nn.softmax(a), tf.nn.softmax(b)),
        lambda p, q: np.maximum(p, q),
    ),
    "limits": (
        lambda a, b: tf.clip_by_value(tf.nn.softmax(a), 1e-3, 0.9),
        lambda p, q: np.clip(p, np.log(1e-3), np.log(0.9)),
    ),
    "difference": (lambda a, b: tf.nn.softmax(a) - tf.nn.softmax(b), None),
    "weights of any sign": (lambda a, b: tf.nn.softmax(a) @ np.eye(4, dtype="float32"), None),
    "zeros": (lambda a, b: tf.nn.softmax(a) * np.float32([1, 0, 1, 0]), None),
    "logits": (lambda a, b: a + b, None),
}


def _mix(p, q, weight=0.5):
    return np.logaddexp(p + np.log(weight), q + np.log(1 - weight))


@pytest.mark.parametrize("name", MADE)
def test_the_logs_of_positive_values_are_exact(name):
    """Also where the values are 0 in float32; and so are their slopes there."""
    made, log = MADE[name]
    rng = np.random.default_rng(0)
    a, b = (rng.normal(scale=90, size=(7, 4)).astype("float32") for _ in range(2))
    found = []

    @tf.function(autograph=False)
    def logs(a, b):
        found.append(log_of(made(a, b)))
        return tf.zeros([]) if found[0] is None else found[0]

    with tf.GradientTape() as tape:
        a, b = tf.constant(a), tf.constant(b)
        tape.watch(a)
        got = logs(a, b)
    assert (found[0] is None) == (log is None)
    if log is not None:
        wanted = log(*(np.float64(one) - logsumexp(np.float64(one), axis=1, keepdims=True)
                       for one in (a, b)))  # fmt: skip
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-5)
        assert np.isfinite(got).all()
        assert np.isfinite(tape.gradient(got, a)).all()


@pytest.mark.parametrize(
    ("made", "odds"),
    [
        (lambda a, b: tf.sigmoid(a), lambda a, b: a),
        (lambda a, b: 1.0 - tf.sigmoid(a)[:, :2], lambda a, b: -a[:, :2]),
        (lambda a, b: (tf.sigmoid(a) + tf.sigmoid(b)) / 2.0, "mean"),
        (lambda a, b: (tf.sigmoid(a) + tf.sigmoid(b)) * 0.5, "mean"),
        (lambda a, b: tf.reduce_mean(tf.sigmoid(tf.stack([a, b])), axis=0), "mean"),
        (lambda a, b: (tf.sigmoid(a) + tf.sigmoid(b)) / 3.0, None),
        (lambda a, b: tf.sigmoid(a) * tf.sigmoid(b), None),
    ],
)
def test_the_log_odds_of_means_of_sigmoids_are_exact(made, odds):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(scale=60, size=(7, 4)).astype("float32") for _ in range(2))
    found = []

    @tf.function(autograph=False)
    def log_odds(a, b):
        shares = made(a, b)
        found.append(log_of_rest(shares))
        return tf.zeros([]) if found[0] is None else log_of(shares) - found[0]

    got = log_odds(a, b)
    assert (found[0] is None) == (odds is None)
    if odds is None:
        return
    a, b = np.float64(a), np.float64(b)
    if odds == "mean":
        shares, rest = (
            np.logaddexp(-np.logaddexp(0, -sign * a), -np.logaddexp(0, -sign * b))
            for sign in (1, -1)
        )
        wanted = shares - rest
    else:
        wanted = odds(a, b)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-5)


def test_the_model_s_own_answer_decides_where_rounding_makes_another():
    scores = tf.constant([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1e9, 2e9, 3e9], [-5.0, -4.0, -9.0]])
    outputs = tf.constant([[0.1, 0.2, 0.7], [0.5, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        found = deciding_as(scores, outputs)
    np.testing.assert_array_equal(tf.argmax(found, axis=1), tf.argmax(outputs, axis=1))
    np.testing.assert_array_equal(found[0], scores[0])
    unknown = deciding_as(scores, tf.where(outputs == 0.7, np.nan, outputs))
    np.testing.assert_array_equal(np.isnan(unknown), outputs == 0.7)
    # The other classes stay, and the slopes are those of the scores.
    assert np.sum(found != scores) == 3
    np.testing.assert_array_equal(tape.gradient(found, scores), np.ones((4, 3)))


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
    # There it is flat, which is said.
    with pytest.warns(UserWarning, match="a gradient of exactly zero"):
        assert not ATTACK.run(victim, *some).success.any()


def test_that_no_gradient_arrives_is_said(model, some):
    images = keras.Input((8, 8, 1))
    rounded = keras.Model(images, model(ops.round(images * 4) / 4))
    with pytest.warns(UserWarning, match="No gradient of the model reaches"):
        ATTACK.run(rounded, *some)


def test_a_sum_is_followed_only_where_it_cannot_be_negative():
    """Shares of a sum below 0 fall where the values rise."""
    followed = []

    @tf.function
    def read(z):
        for values in (z, tf.nn.relu(z), tf.nn.relu(z) + 1, z + 1, tf.square(z) - 1):
            ratio = values / tf.reduce_sum(values, axis=1, keepdims=True)
            followed.append(behind(ratio) is not ratio)
        return z

    read(tf.ones([2, 3]))
    assert followed == [False, True, True, False, False]
