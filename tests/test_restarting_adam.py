"""Adam that begins anew."""

import dataclasses

import keras
import numpy as np
import pytest

import kgan.data
from kgan.recipes import GANRecipe
from kgan.restarting_adam import RestartingAdam
from kgan.settings import PRESETS

GRADIENTS = np.random.default_rng(0).standard_normal((11, 3)).astype(np.float32)


def ways(optimizer, gradients):
    """How far each update goes."""
    variable = keras.Variable(np.zeros(3, np.float32))
    found = []
    for gradient in gradients:
        before = variable.numpy()
        optimizer.apply([gradient], [variable])
        found.append(variable.numpy() - before)
    return np.array(found)


@pytest.mark.parametrize("betas", [(0.0, 0.99), (0.5, 0.9)])
def test_each_phase_is_adams_first_and_the_last_goes_on(betas):
    options = dict(zip(("beta_1", "beta_2"), betas, strict=True))
    seen = ways(RestartingAdam(0.1, every=3, until=6, **options), GRADIENTS)
    for start, end in ((0, 3), (3, 6), (6, 11)):
        alone = ways(keras.optimizers.Adam(0.1, **options), GRADIENTS[start:end])
        np.testing.assert_allclose(seen[start:end], alone, rtol=2e-5)


def test_the_schedule_of_the_rate_does_not_begin_anew():
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)
    ones = np.ones((6, 3), np.float32)
    seen = ways(RestartingAdam(rate, every=2, until=6), ones)
    np.testing.assert_allclose(-seen[:, 0], 0.1 * 0.5 ** (np.arange(6) / 4), rtol=2e-5)


def test_it_is_saved_with_its_phases():
    made = RestartingAdam(0.1, every=3, until=6, beta_1=0.5)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(made))
    assert (type(again), again.every, again.until, again.beta_1) == (RestartingAdam, 3, 6, 0.5)


def test_networks_that_grow_are_trained_so():
    changes = {"generator_width": 2, "discriminator_width": 2, "phase_steps": 5, "n_critic": 2}
    data = kgan.data.Dataset("few", np.zeros((8, 8, 8, 1), np.uint8))
    model = GANRecipe(dataclasses.replace(PRESETS["progan"], **changes)).model(data)
    # Sides of 8: two doublings, each of two phases.
    assert (model.g_optimizer.every, model.g_optimizer.until) == (5, 20)
    assert (model.d_optimizer.every, model.d_optimizer.until) == (10, 40)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"every": 0, "until": 0}, "every must be at least 1 and divide until, got 0 and 0"),
        ({"every": 3, "until": 7}, "every must be at least 1 and divide until, got 3 and 7"),
        ({"every": 3, "until": 6, "amsgrad": True}, "amsgrad must be False"),
    ],
)
def test_what_it_cannot_do_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        RestartingAdam(0.1, **options)
