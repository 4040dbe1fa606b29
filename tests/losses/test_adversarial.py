"""Losses against their papers' formulas in float64."""

import numpy as np
import pytest
import tensorflow as tf

from kgan import losses

REAL = np.array([-3.0, -0.4, 0.0, 0.9, 1.7, 20.0])
FAKE = np.array([2.0, -30.0, 0.0, -0.85, 0.3, -1.1])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def missed(x):
    """The mean over margins from 0.8 to 1 of how much of them a value misses."""
    margins = 0.8 + 0.2 * (np.arange(20_000) + 0.5) / 20_000
    return np.maximum(0, margins - x[:, None]).mean(axis=1)


# (discriminator, generator) as the papers write them, on probabilities where they use them.
FORMULAS = {
    "minimax": (
        lambda r, f: -np.log(sigmoid(r)) - np.log(1 - sigmoid(f)),
        lambda r, f: np.log(1 - sigmoid(f)),
    ),
    "non_saturating": (
        lambda r, f: -np.log(sigmoid(r)) - np.log(1 - sigmoid(f)),
        lambda r, f: -np.log(sigmoid(f)),
    ),
    "least_squares": (lambda r, f: ((r - 1) ** 2 + f**2) / 2, lambda r, f: (f - 1) ** 2 / 2),
    "hinge": (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda r, f: -f),
    "smooth_hinge": (lambda r, f: missed(r) + missed(-f), lambda r, f: -f),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -f),
    "relativistic": (
        lambda r, f: -np.log(sigmoid(r - f)),
        lambda r, f: -np.log(sigmoid(f - r)),
    ),
}


@pytest.mark.parametrize("name", losses.LOSSES)
def test_values_are_the_papers(name):
    loss = losses.get(name)
    discriminator, generator = FORMULAS[name]
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    np.testing.assert_allclose(
        loss.discriminator(real, fake), discriminator(REAL, FAKE), rtol=1e-9, atol=1e-12
    )
    seen = loss.generator(real if loss.generator_needs_real else None, fake)
    np.testing.assert_allclose(seen, generator(REAL, FAKE), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_float32_stays_finite_far_out(name):
    far = tf.constant([-1e4, 1e4, 0.0], tf.float32)
    loss = losses.get(name)
    assert np.isfinite(loss.discriminator(far, -far)).all()
    assert np.isfinite(loss.generator(far, -far)).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(
    "name", ["minimax", "non_saturating", "least_squares", "hinge", "smooth_hinge"]
)
def test_the_neutral_logit_is_best_where_real_and_generated_are_alike(name, smoothing):
    loss = losses.get(name, label_smoothing=0.0 if "hinge" in name else smoothing)
    logits = tf.constant(loss.neutral + np.linspace(-0.9, 0.9, 19))
    both = loss.discriminator(logits, logits).numpy()
    assert both.min() == pytest.approx(both[9], abs=1e-12)
    # As far away on either side it is as much worse, to the first order.
    assert both[8] == pytest.approx(both[10], abs=1e-3)
    np.testing.assert_allclose(loss.margins(REAL, FAKE), REAL - loss.neutral)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses_without_a_neutral_logit_ignore_an_offset(name):
    loss = losses.get(name)
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    moved = np.allclose(
        loss.discriminator(real, fake), loss.discriminator(real + 3.0, fake + 3.0), rtol=1e-9
    )
    assert moved == (loss.neutral is None)
    if moved:
        np.testing.assert_allclose(loss.margins(real + 3.0, fake + 3.0), REAL - FAKE)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("name", ["minimax", "non_saturating", "least_squares"])
def test_the_best_logit_tells_the_probability(name, smoothing):
    """The logit of least loss, looked for, where a share of samples alike is real."""
    loss = losses.get(name, label_smoothing=smoothing)
    logits = tf.constant(np.linspace(-6, 6, 120_001))
    real, fake = (
        loss.discriminator(logits, tf.zeros_like(logits)),
        loss.discriminator(tf.zeros_like(logits), logits),
    )
    for share in (0.05, 0.3, 0.5, 0.9):
        best = logits[int(tf.argmin(share * real + (1 - share) * fake))]
        assert float(loss.probability(best)) == pytest.approx(share, abs=1e-3)
    far = loss.probability(tf.constant([-1e4, 1e4], tf.float32))
    np.testing.assert_array_equal(far, [0, 1])


@pytest.mark.parametrize("name", ["hinge", "smooth_hinge", "wasserstein", "relativistic"])
def test_losses_without_probabilities_say_so(name):
    assert losses.get(name).probability is None
    assert losses.get((lambda real, fake: fake, lambda real, fake: fake)).probability is None


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_smoothing_moves_the_real_target_only(name):
    loss = losses.get(name, label_smoothing=0.1)
    zero = tf.constant([0.0], tf.float64)
    # The cross-entropy with target t is least where the probability is t.
    best = np.log(0.9 / 0.1)
    around = [
        float(loss.discriminator(tf.constant([x], tf.float64), zero)[0])
        for x in (best - 0.1, best, best + 0.1)
    ]
    assert around[1] < around[0]
    assert around[1] < around[2]
    plain = losses.get(name)
    np.testing.assert_allclose(
        loss.generator(None, tf.constant(FAKE)), plain.generator(None, tf.constant(FAKE))
    )


def test_smoothed_least_squares_aims_at_the_smoothed_label():
    loss = losses.get("least_squares", label_smoothing=0.2)
    value = loss.discriminator(tf.constant([0.8]), tf.constant([0.0]))
    np.testing.assert_allclose(value, [0.0], atol=1e-12)


def test_a_pair_of_callables_is_a_loss():
    loss = losses.get((lambda real, fake: fake - real, lambda real, fake: real - fake))
    assert float(loss.discriminator(tf.constant(1.0), tf.constant(3.0))) == 2.0
    assert float(loss.generator(tf.constant(1.0), tf.constant(3.0))) == -2.0
    assert loss.generator_needs_real


def test_reduce_is_the_mean():
    assert float(losses.reduce(tf.constant([1.0, 2.0, 6.0]))) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hinges", 0.0), "loss must be one of .*hinge.*'hinges'"),
        (("hinge", 0.1), "label_smoothing must be 0 with loss 'hinge'"),
        (("minimax", 1.5), r"label_smoothing must be in \[0, 1\), got 1.5"),
        (((lambda r, f: r, lambda r, f: f), 0.1), "label_smoothing must be 0 with a loss of your"),
    ],
)
def test_bad_arguments(arguments, message):
    loss, smoothing = arguments
    with pytest.raises(ValueError, match=message):
        losses.get(loss, label_smoothing=smoothing)
