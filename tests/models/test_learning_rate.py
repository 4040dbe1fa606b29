"""A rate that stays and then falls along a line."""

import keras
import numpy as np
import pytest

from kgan.models.learning_rate import ConstantThenLinear


def test_it_stays_and_falls_to_zero():
    rate = ConstantThenLinear(0.5, constant_steps=4, falling_steps=5)
    found = [float(rate(step)) for step in range(11)]
    np.testing.assert_allclose(found, [0.5] * 5 + [0.4, 0.3, 0.2, 0.1, 0.0, 0.0], atol=1e-6)
    whole = ConstantThenLinear(0.5, constant_steps=3, falling_steps=0)
    assert [float(whole(step)) for step in range(3)] == [0.5] * 3


def test_an_optimizer_with_it_comes_back():
    adam = keras.optimizers.Adam(ConstantThenLinear(0.5, constant_steps=4, falling_steps=5))
    again = keras.optimizers.Adam.from_config(adam.get_config())
    assert float(again._learning_rate(6)) == pytest.approx(0.3)


def test_steps_that_cannot_be():
    with pytest.raises(ValueError, match="at least 0, one of them at least 1, got 0 and 0"):
        ConstantThenLinear(0.5, constant_steps=0, falling_steps=0)
