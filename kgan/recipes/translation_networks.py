"""Builds the networks of translations from settings that not every network has."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

import kgan.precision
from kgan.models.learning_rate import ConstantThenLinear


def built(
    networks: str, build: Callable[..., keras.Model], shape: tuple[int, ...], **options: Any
) -> keras.Model:
    """A network, with those options that are given.

    Args:
        networks: Name of the networks, for an error.
        build: Its builder.
        shape: Shape of a sample that it takes.
        **options: Arguments of the builder; `None` leaves one to it.

    Raises:
        ValueError: For an option that these networks have not.
    """
    given = {name: value for name, value in options.items() if value is not None}
    known = inspect.signature(build).parameters
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"{name} must be left out for the networks {networks}, got {value}.")
    return build(shape, **given)


def falling_adam(settings: Any, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Adam with a rate that stays, and falls to zero in the last share of the steps.

    Args:
        settings: Has `falling_share`, `beta_1`, `beta_2` and `precision`.
        learning_rate: The rate at first.
        steps: Steps of the whole training.
    """
    falling = round(settings.falling_share * steps)
    rate = ConstantThenLinear(learning_rate, constant_steps=steps - falling, falling_steps=falling)
    adam = keras.optimizers.Adam(rate, beta_1=settings.beta_1, beta_2=settings.beta_2)
    return kgan.precision.scaled(adam, settings.precision)
