"""Spending against published figures, and the searches against the spending."""

import math

import pytest

from kgan.privacy import epsilon_of, noise_for, steps_for

# Of 60,000 images: batch, noise, steps, and the epsilons of Bie et al. 2023 at delta 1e-5 by the
# two accountants of dp-accounting 0.6.
PUBLISHED = [
    (128, 1.0, 450_000, 9.97, 9.28),
    (512, 2.0, 174_000, 10.08, 9.39),
    (128, 5.0, 325_000, 0.994, 0.914),
    (512, 14.0, 165_000, 1.004, 0.920),
]


@pytest.mark.parametrize(("batch", "noise", "steps", "rdp", "pld"), PUBLISHED)
def test_published_trainings_spend_what_is_published(batch, noise, steps, rdp, pld):
    spending = {"sampling_rate": batch / 60_000, "noise": noise, "steps": steps, "delta": 1e-5}
    assert epsilon_of(**spending, method="rdp") == pytest.approx(rdp, rel=1e-3)
    assert epsilon_of(**spending) == pytest.approx(pld, rel=1e-3)


def test_one_step_on_all_records_is_the_gaussian_mechanism():
    """Balle & Wang 2018 (arXiv:1805.06530), theorem 8, in closed form."""
    noise, epsilon = 1.3, 1.7
    density = lambda x: 0.5 * math.erfc(-x / math.sqrt(2))  # noqa: E731
    delta = density(0.5 / noise - epsilon * noise) - math.exp(epsilon) * density(
        -0.5 / noise - epsilon * noise
    )
    found = epsilon_of(sampling_rate=1.0, noise=noise, steps=1, delta=delta)
    assert found == pytest.approx(epsilon, rel=1e-3)


def test_no_noise_is_no_promise_and_no_step_spends_nothing():
    assert epsilon_of(sampling_rate=0.1, noise=0, steps=1, delta=1e-5) == math.inf
    assert epsilon_of(sampling_rate=0.1, noise=0, steps=0, delta=1e-5) == 0


def test_what_is_released_once_adds_up_with_the_steps():
    once = {"sampling_rate": 1.0, "noise": 4.0, "delta": 1e-5}
    twice = epsilon_of(steps=2, **once)
    assert epsilon_of(steps=1, released=(4.0,), **once) == pytest.approx(twice, rel=1e-6)
    assert epsilon_of(steps=0, released=(4.0,), **once) == epsilon_of(steps=1, **once)
    # Gaussian mechanisms compose by the squares of what a record moves: 1/3**2 + 1/4**2 = 1/2.4**2.
    both = epsilon_of(steps=1, released=(3.0,), **once)
    alone = epsilon_of(steps=1, sampling_rate=1.0, noise=2.4, delta=1e-5)
    assert both == pytest.approx(alone, rel=1e-3)
    noise = noise_for(1.0, steps=50, sampling_rate=0.1, delta=1e-5, released=(9.0,), method="rdp")
    spent = {"steps": 50, "sampling_rate": 0.1, "delta": 1e-5, "method": "rdp"}
    assert 0.99 < epsilon_of(noise=noise, released=(9.0,), **spent) <= 1.0
    with pytest.raises(ValueError, match=r"released must be noise above 0, got \(0.0,\)"):
        epsilon_of(steps=1, released=(0.0,), **once)


@pytest.mark.parametrize("method", ["rdp", pytest.param("pld", marks=pytest.mark.slow)])
def test_searches_stay_within_what_may_be_spent(method):
    spending = {"sampling_rate": 0.01, "delta": 1e-5, "method": method}
    noise = noise_for(2.0, steps=1000, **spending)
    assert 1.98 < epsilon_of(noise=noise, steps=1000, **spending) <= 2.0
    steps = steps_for(2.0, noise=noise, **spending)
    assert 1000 <= steps < 1020
    assert epsilon_of(noise=noise, steps=steps, **spending) <= 2.0
    assert epsilon_of(noise=noise, steps=int(1.01 * steps) + 1, **spending) > 2.0
    assert steps_for(0.01, noise=0.3, **spending) == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sampling_rate": 0}, r"sampling_rate must be in \(0, 1\], got 0"),
        ({"sampling_rate": 1.5}, r"sampling_rate must be in \(0, 1\], got 1.5"),
        ({"delta": 1.0}, r"delta must be in \(0, 1\), got 1.0"),
        ({"noise": -1}, "noise must be at least 0, got -1"),
        ({"noise": math.nan}, "noise must be at least 0, got nan"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"method": "moments"}, "method must be 'pld' or 'rdp', got 'moments'"),
    ],
)
def test_mistakes_are_named(wrong, told):
    right = {"sampling_rate": 0.1, "noise": 1.0, "steps": 10, "delta": 1e-5}
    with pytest.raises(ValueError, match=told):
        epsilon_of(**{**right, **wrong})


@pytest.mark.parametrize("epsilon", [0, -1, math.inf, math.nan])
def test_what_cannot_be_promised_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon must be above 0 and finite"):
        noise_for(epsilon, sampling_rate=0.1, steps=10, delta=1e-5)
