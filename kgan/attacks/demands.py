"""What an attack asks of a model and of what it is given, checked before it works."""

from typing import TYPE_CHECKING, Any

import numpy as np

from kgan.attacks import eight_bit
from kgan.attacks.checks import as_rows, check_mask
from kgan.attacks.losses import LOSSES
from kgan.attacks.victim import Victim

if TYPE_CHECKING:
    from kgan.attacks.attack import Attack

SHOWN = ("nothing", "labels", "scores", "gradients")
"""What a model may show of itself, and an attack may need, ascending."""


def check_shown(attack: "Attack", victim: Victim) -> None:
    """Raises `ValueError` where the attack needs what the model does not show."""
    needs = "gradients" if attack.needs_gradient else attack.needs
    if SHOWN.index(needs) > SHOWN.index(victim.shows):
        follows = "follows gradients" if needs == "gradients" else f"asks for {needs}"
        raise ValueError(
            f"{type(attack).__name__} {follows}, and {victim.name} shows {victim.shows} alone. "
            f"Those that need no more: {', '.join(_that_need_at_most(attack, victim.shows))}."
        )


def _that_need_at_most(attack: "Attack", shown: str) -> list[str]:
    """Names of kgan's attacks that need no more of a model, in alphabetical order."""
    base: Any = next(kind for kind in type(attack).__mro__ if kind.__name__ == "Attack")
    able, todo = set(), [base]
    while todo:
        kind: Any = todo.pop()
        todo += kind.__subclasses__()
        needs = "gradients" if kind.category in ("white-box", "single-step") else kind.needs
        public = kind.__module__.startswith("kgan.") and kind._attack is not base._attack
        if public and SHOWN.index(needs) <= SHOWN.index(shown):
            able.add(kind.__name__)
    return sorted(able)


def check_criterion(attack: "Attack", victim: Victim) -> None:
    """Raises `ValueError` where the attack cannot aim at what counts for the model."""
    name, criterion = type(attack).__name__, victim.criterion
    if attack.needs_classes and not criterion.by_class:
        raise ValueError(
            f"{name} works with one class for each image, and what counts for {victim.name} is "
            f"{criterion!r}: use PGD or APGD within a radius, UniversalPerturbation for one change "
            "that is learnt from many images, or FMN for the smallest change."
        )
    loss = getattr(attack, "loss", None)
    if loss in LOSSES and loss not in criterion.losses:
        raise ValueError(
            f"loss of {name} must be one of {', '.join(criterion.losses)} for {criterion!r}, got "
            f"{loss!r}."
        )


def check_rows(attack: "Attack", images: np.ndarray, mask: Any) -> np.ndarray | None:
    """Checks what is given by example or by value; the mask as `check_mask` returns it."""
    arrays = {name: value for name, value in attack._settings().items() if np.ndim(value)}
    for name, value in arrays.items():
        if not attack.takes_arrays:
            raise ValueError(
                f"{name} of {type(attack).__name__} must be one number, "
                f"got an array of {np.shape(value)}."
            )
        if as_rows(name, np.asarray(value), images.shape).ndim > 1 and attack.norm != "linf":
            raise ValueError(
                f"{name} must be one for each image in {attack.norm}, where a radius belongs to "
                f"the image as a whole, got the shape {np.shape(value)}."
            )
    if attack.quantize:
        eight_bit.check_on_grid(images)
    if mask is None:
        return None
    if not attack.takes_arrays:
        raise ValueError(f"{type(attack).__name__} takes no mask.")
    return check_mask(mask, images.shape)
