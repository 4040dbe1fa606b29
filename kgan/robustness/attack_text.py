"""Makes attacks and criteria from texts such as "pgd:steps=100,restarts=5" and "top-k:k=5"."""

import ast
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

import kgan.names
from kgan.attacks import ATTACKS, CRITERIA, Attack, Criterion

# Settings that a text cannot contain: those that all attacks of a report share, which are given
# separately, and those that cannot be written as text.
_NOT_IN_WORDS = (
    "self",
    "epsilon",
    "norm",
    "seed",
    "quantize",
    "surrogates",
    "network",
    "targets",
    "weights",
    "starts",
)


def attack_from_text(
    text: str,
    *,
    epsilons: Sequence[float],
    norm: str = "linf",
    seed: int = 0,
    quantize: bool = False,
    surrogates: Sequence[keras.Model] = (),
) -> Attack:
    """Makes the attack that a text names; of the shared settings it gets those that it takes.

    Args:
        text: A key of `kgan.attacks.ATTACKS`; settings may follow: "pgd:steps=100,loss=margin".
        epsilons: Radii at which the attack will run; it is made for the largest.
        norm: The norm of the ball, "linf", "l2", "l1" or "l0".
        seed: Seed of all random draws of the attack, an int.
        quantize: Whether the adversarial images are to have 8 bits a value.
        surrogates: Classifiers whose gradients a transfer attack follows.

    Raises:
        ValueError: For an unknown name, setting or value; the message quotes the text.
    """
    name, _, own = text.partition(":")
    make = kgan.names.look_up("attack", name, ATTACKS)
    takes = inspect.signature(make.__init__).parameters
    settings: dict[str, Any] = {"seed": seed}
    if "norm" in takes and norm in make.norms:
        settings["norm"] = norm
    # What looks for the smallest change without a radius gets none.
    if "epsilon" in takes and not make.minimal_without_epsilon:
        settings["epsilon"] = max(epsilons)
    if "least_epsilon" in takes and len(epsilons) > 1:
        settings["least_epsilon"] = min(epsilons)
    if "epsilon" in settings and make.norms and norm not in make.norms:
        raise ValueError(f"{name} knows the norms {', '.join(make.norms)}, not {norm}.")
    if surrogates and "surrogates" in takes:
        settings["surrogates"] = list(surrogates)
    if quantize:
        if "quantize" not in takes:
            raise ValueError(f"{name} makes no images of 8 bits; leave --eight-bit out.")
        settings["quantize"] = True
    settings = {key: value for key, value in settings.items() if key in takes}
    settings |= _own_settings(name, own, takes)
    try:
        return make(**settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error} (of --attack {name}{':' if own else ''}{own})") from error


# Criteria whose settings can be written as text, and whose truth is in files of data sets.
_CRITERIA_IN_WORDS = ("misclassification", "top-k", "confidence", "multi-label")


def criterion_from_text(text: str) -> Criterion:
    """Makes the criterion that a text names.

    Args:
        text: "misclassification", "top-k", "confidence" or "multi-label"; settings may follow:
            "top-k:k=5".

    Raises:
        ValueError: For an unknown name, setting or value; the message quotes the text.
    """
    name, _, own = text.partition(":")
    make = kgan.names.look_up("criterion", name, {key: CRITERIA[key] for key in _CRITERIA_IN_WORDS})
    takes = inspect.signature(make).parameters
    try:
        return make(**_own_settings(name, own, takes))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error} (of --criterion {text})") from error


def _own_settings(name: str, text: str, takes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings after the name of an attack, such as "steps=100,loss=margin"."""
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
