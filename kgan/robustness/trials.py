"""The trials of an evaluation: each attack at each epsilon."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kgan.attacks.attack import Attack
from kgan.attacks.checks import check_norm, check_radius
from kgan.attacks.norms import ALL_NORMS


@dataclasses.dataclass(frozen=True)
class Trial:
    """One run of an attack: a budget attack at one epsilon, or any other attack.

    Attributes:
        name: The attack's name in the report.
        attack: The attack, with this epsilon.
        epsilon: Radius of the ball; `None` if the attack has no budget.
    """

    name: str
    attack: Attack
    epsilon: float | None

    def __str__(self) -> str:
        return self.name if self.epsilon is None else f"{self.name} at {self.epsilon:g}"

    def ready(self, prepared: Attack) -> "Trial":
        """The same trial with an attack that is `prepared` (for any radius)."""
        attack = prepared if self.epsilon is None else prepared.replace(epsilon=self.epsilon)
        return dataclasses.replace(self, attack=attack)

    def settings(self) -> dict[str, Any]:
        """Class and settings of the attack as plain values, without the radius."""
        plain = (bool, int, float, str, type(None))
        config = {
            name: value if isinstance(value, plain) and _is_json(value) else repr(value)
            for name, value in self.attack.get_config().items()
            if name != "epsilon" or not self.attack.has_budget
        }
        return {"class": type(self.attack).__name__, **config}


def _is_json(value: Any) -> bool:
    """Whether JSON has this number; it has no infinite ones."""
    return not isinstance(value, float) or math.isfinite(value)


def plan(attacks: Sequence[Attack], epsilons: Sequence[float]) -> list[Trial]:
    """The trials, in the order of the attacks; several attacks of one class are numbered."""
    trials = []
    used: dict[str, int] = {}
    for attack in attacks:
        name = type(attack).__name__
        used[name] = used.get(name, 0) + 1
        if used[name] > 1:
            name = f"{name} {used[name]}"
        if attack.has_budget:
            if np.ndim(attack.get_config()["epsilon"]):
                raise ValueError(
                    f"epsilon of {name} must be one number in a report, got an array; "
                    "attack.run takes arrays."
                )
            trials += [
                Trial(name, attack.replace(epsilon=epsilon), epsilon) for epsilon in epsilons
            ]
        else:
            trials.append(Trial(name, attack, None))
    return trials


def common_norm(attacks: Sequence[Attack], norm: str | None) -> str | None:
    """The norm of a report on these attacks: the given one, or that of the budget attacks."""
    if isinstance(attacks, Attack):
        raise TypeError(f"attacks must be a list of attacks, got one alone: [{attacks!r}].")
    if not attacks:
        raise ValueError("attacks must not be empty.")
    for attack in attacks:
        if not isinstance(attack, Attack):
            raise TypeError(
                f"attacks must be attacks such as kgan.attacks.PGD(0.3), got {attack!r}."
            )
    budget = dict.fromkeys(attack.norm for attack in attacks if attack.has_budget)
    any_norm = [attack.norm for attack in attacks if attack.norms]
    norm = norm or next(iter([*budget, *any_norm]), None)
    if norm is not None:
        check_norm(norm, ALL_NORMS)
    if set(budget) - {norm}:
        raise ValueError(
            f"attacks with an epsilon must share the report's norm {norm!r}, got {list(budget)}. "
            "Make one report for each norm."
        )
    return norm


def radii(
    attacks: Sequence[Attack], epsilons: Sequence[float] | None, norm: str | None
) -> list[float]:
    """The radii of a report, ascending: the given ones, or those of the budget attacks."""
    if epsilons is None:
        epsilons = [attack.get_config()["epsilon"] for attack in attacks if attack.has_budget]
    elif np.ndim(epsilons) != 1:
        raise ValueError(f"epsilons must be a list of radii, such as [0.1, 0.2], got {epsilons!r}.")
    elif not len(epsilons) and any(attack.has_budget for attack in attacks):
        raise ValueError("epsilons must not be empty.")
    return sorted({check_radius("epsilon", epsilon, norm or "l2") for epsilon in epsilons})
