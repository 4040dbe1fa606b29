"""The audit's bound against closed forms, and against trainings with and without noise."""

import keras
import numpy as np
import pytest

import kgan.data
import kgan.models
from kgan.kinds import Points
from kgan.privacy import audit, epsilon_lower_bound

CANARIES = 120
DELTA = 1e-3


@pytest.mark.parametrize(
    ("correct", "guesses", "bound"), [(100, 100, 3.49), (900, 1000, 2.02), (560, 1000, 0.13)]
)
def test_known_bounds(correct, guesses, bound):
    found = epsilon_lower_bound(correct, guesses, canaries=guesses)
    assert found == pytest.approx(bound, abs=0.01)


def test_all_right_is_a_power():
    """Where all n guesses are right, (e^eps / (1 + e^eps))^n is the level."""
    level = 0.05 ** (1 / 40)
    found = epsilon_lower_bound(40, 40, canaries=40)
    assert found == pytest.approx(np.log(level / (1 - level)), rel=1e-6)


def test_delta_weakens_the_bound_and_chance_shows_nothing():
    bounds = [epsilon_lower_bound(95, 100, canaries=1000, delta=delta) for delta in (0, 1e-5, 1e-3)]
    assert bounds[0] > bounds[1] > bounds[2] >= 0
    assert epsilon_lower_bound(50, 100, canaries=100) == 0


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="must rise from 0"):
        epsilon_lower_bound(5, 4, canaries=10)
    with pytest.raises(ValueError, match="guesses must be even, from 2 to the 4 canaries, got 3"):
        audit(np.zeros(4), np.ones(4, bool), delta=0, guesses=3)
    with pytest.raises(ValueError, match="of bools"):
        audit(np.zeros(4), np.ones(4), delta=0)


def trained(noise: float) -> tuple[kgan.models.PrivateGAN, np.ndarray, np.ndarray]:
    """A GAN on half of the canaries, each of which has a weight of its own in the discriminator."""
    coins = np.random.default_rng(5).random(CANARIES) < 0.5
    canaries = np.eye(CANARIES, dtype=np.float32) * 10
    data = kgan.data.Dataset("canaries", canaries[coins], kind=Points(CANARIES))
    keras.utils.set_random_seed(0)
    zeros = {"kernel_initializer": "zeros"}
    latents, points = keras.Input((2,)), keras.Input((CANARIES,))
    gan = kgan.models.PrivateGAN(
        # All that the discriminator learns then comes from the records and from the noise.
        keras.Model(latents, keras.layers.Dense(CANARIES, **zeros)(latents)),
        keras.Model(points, keras.layers.Reshape(())(keras.layers.Dense(1, **zeros)(points))),
        records=len(data),
        batch_size=len(data),
        noise=noise,
        delta=DELTA,
        key=(3, 4),
        kind=data.kind,
    )
    rates = keras.optimizers.SGD(1e-6), keras.optimizers.SGD(1.0)
    gan.compile(g_optimizer=rates[0], d_optimizer=rates[1], run_eagerly=True)
    gan.fit(
        kgan.data.private_feed(data, len(data), key=gan.key),
        steps_per_epoch=4,
        shuffle=False,
        verbose=0,
    )
    return gan, canaries, coins


def test_noise_keeps_the_bound_below_the_promise_and_its_lack_is_found():
    promised, found = {}, {}
    for noise in (0.0, 4.0):
        gan, canaries, coins = trained(noise)
        scores = gan.judge(canaries).numpy()
        found[noise] = audit(scores, coins, delta=0.0, guesses=100)
        promised[noise] = gan.guarantee().epsilon
    assert found[4.0].epsilon < promised[4.0] < found[0.0].epsilon
    assert promised[0.0] == np.inf
    assert found[0.0].correct == 100
