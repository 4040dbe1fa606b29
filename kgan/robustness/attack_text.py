"""Attacks from words such as "pgd:steps=100,restarts=5"."""

import ast
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

import kgan.names
from kgan.attacks import ATTACKS, Attack

# Settings that all attacks of a report have in common, which are given apart, and those that cannot
# be written in a word.
_NOT_IN_WORDS = ("self", "epsilon", "norm", "seed", "surrogates", "network", "targets", "weights")


def attack_from_text(
    text: str,
    *,
    epsilons: Sequence[float],
    norm: str = "linf",
    seed: int = 0,
    surrogates: Sequence[keras.Model] = (),
) -> Attack:
    """The attack of that name, given those of the settings that it takes.

    Args:
        text: A key of `kgan.attacks.ATTACKS`; settings may follow: "pgd:steps=100,loss=margin".
        epsilons: Radii that it is to be run at; it is made for the largest.
        norm: The norm of the ball.
        seed: Seed of all that the attack draws.
        surrogates: Classifiers whose gradients a transfer attack follows.

    Raises:
        ValueError: For an unknown name, setting or value; it names the text.
    """
    name, _, own = text.partition(":")
    make = kgan.names.look_up("attack", name, ATTACKS)
    takes = inspect.signature(make.__init__).parameters
    settings: dict[str, Any] = {"seed": seed}
    if "norm" in takes and norm in make.norms:
        settings["norm"] = norm
    # An epsilon that defaults to None asks for the smallest change.
    if "epsilon" in takes and takes["epsilon"].default is not None:
        settings["epsilon"] = max(epsilons)
    if "least_epsilon" in takes and len(epsilons) > 1:
        settings["least_epsilon"] = min(epsilons)
    if "epsilon" in settings and make.norms and norm not in make.norms:
        raise ValueError(f"{name} knows the norms {', '.join(make.norms)}, not {norm}.")
    if surrogates and "surrogates" in takes:
        settings["surrogates"] = list(surrogates)
    settings = {key: value for key, value in settings.items() if key in takes}
    settings |= _own_settings(name, own, takes)
    try:
        return make(**settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error} (of --attack {name}{':' if own else ''}{own})") from error


def _own_settings(name: str, text: str, takes: Mapping[str, Any]) -> dict[str, Any]:
    """What follows an attack's name: "steps=100,loss=margin"."""
    settings = {}
    for item in text.split(",") if text else ():
        key, equals, value = (part.strip() for part in item.partition("="))
        allowed = [key for key in takes if key not in _NOT_IN_WORDS]
        if not equals or key not in allowed:
            raise ValueError(
                f"settings of {name} are given as {name}:key=value,key=value with the keys "
                f"{', '.join(allowed)}, got {item!r}."
            )
        try:
            settings[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[key] = value
    return settings
