"""AutoAttack: the standard ensemble of parameter-free attacks."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kgan.attacks import demands
from kgan.attacks.apgd import APGD
from kgan.attacks.attack import Attack
from kgan.attacks.auto_attack_checks import find_warnings, square_warning
from kgan.attacks.checks import (
    as_rows,
    check_images,
    check_indices,
    check_norm,
    check_radii,
    has_pixels,
)
from kgan.attacks.fab import FAB, MOST_CLASSES
from kgan.attacks.result import Result
from kgan.attacks.square import Square
from kgan.attacks.victim import Victim, victim_of
from kgan.models.norm_ball import usual_radius
from kgan.random import check_seed


@dataclasses.dataclass(frozen=True)
class AutoAttackResult(Result):
    """A `Result` that also tells the robust accuracy after each member, and warns.

    Attributes:
        robust: The share of images that are not fooled so far: "clean", and after each member, by
            its name.
        left_out: The members that cannot be run on these images: the reason of each, by its name.
        warnings: What makes the figures unreliable, in sentences; see `auto_attack_checks`.
    """

    robust: dict[str, float]
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@keras.saving.register_keras_serializable(package="kgan")
class AutoAttack(Attack):
    """The standard ensemble; each member attacks the images that the earlier ones did not fool.

    `version="standard"`: APGD on the cross-entropy, APGD on the targeted DLR loss and FAB, both
    against the 9 likeliest other classes, and Square with 5000 queries. In l1 APGD has 5 starts and
    5 targets. `version="rand"`, for models that are random: APGD on the cross-entropy and on the
    DLR loss, 20 gradients averaged at each step. `version="plus"`: APGD on the cross-entropy and on
    the DLR loss and FAB on all borders, each with 5 starts, Square, and the two targeted attacks;
    slower and hardly stronger.

    A model with fewer than four classes has no targeted DLR loss, and one with two no DLR loss;
    APGD on the margin takes their place. Square needs images of (height, width, channels); on
    tables, series and volumes it is left out, with a warning.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1], or an array of radii; see `PGD`,
            also for `None`.
        norm: "linf", "l2" or "l1".
        version: "standard", "plus" or "rand".
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of all members, an int.

    Reference:
        Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
        parameter-free attacks", 2020, section 5.
        Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks", 2021, section 4.
    """

    targetable = False
    category = None
    tensors: tuple[str, ...] = ("epsilon", "seed")
    takes_arrays = True

    def __init__(
        self,
        epsilon: float | np.ndarray | None = None,
        *,
        norm: str = "linf",
        version: str = "standard",
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radii("epsilon", usual_radius(epsilon, norm), norm)
        if version not in ("standard", "plus", "rand"):
            raise ValueError(f"version must be standard, plus or rand, got {version!r}.")
        self.version = version
        self.quantize = quantize
        self.seed = check_seed(seed)

    def members(self, classes: int) -> dict[str, Attack]:
        """The attacks to run on a model of so many classes, by name; 0 where they do not decide.

        Where k classes decide together, `classes` is their number less k - 1: as many as an attack
        can aim at, and one more.
        """
        common: dict[str, Any] = {
            "norm": self.norm,
            "quantize": self.quantize,
            "seed": self.seed,
        }

        def apgd(loss: str, **settings: Any) -> APGD:
            return APGD(self.epsilon, loss=loss, **settings, **common)

        dlr = "dlr" if classes > 2 else "margin"
        if self.version == "rand":
            return {
                "apgd-ce": apgd("cross_entropy", samples=20),
                "apgd-dlr": apgd(dlr, samples=20),
            }
        if self.version == "plus":
            return self._plus(apgd, dlr, classes, common)
        sparse = self.norm == "l1"
        targets = 5 if sparse else 9
        members: dict[str, Attack] = {"apgd-ce": apgd("cross_entropy", restarts=5 if sparse else 1)}
        if classes > 3:
            members["apgd-t"] = apgd("targeted_dlr", targets=targets)
        else:
            members["apgd-margin"] = apgd("margin")
        members["fab-t"] = FAB(self.epsilon, targets=9, **common)
        members["square"] = Square(self.epsilon, steps=5000, rescale=False, **common)
        return members

    def _members(self, victim: Victim) -> dict[str, Attack]:
        return self.members(victim.choices + 1 if victim.choices else 0)

    def check(self, victim: Victim, shape: tuple[int, ...]) -> None:
        if has_pixels(shape) and any(
            member.needs_pixels for member in self._members(victim).values()
        ):
            victim.check_layout(type(self).__name__, shape)

    def left_out(self, victim: Victim, shape: tuple[int, ...]) -> dict[str, str]:
        reasons = {}
        for name, member in self._members(victim).items():
            try:
                member.check(victim, shape)
            except ValueError as error:
                reasons[name] = str(error)
        return reasons

    def _plus(
        self, apgd: Callable[..., APGD], dlr: str, classes: int, common: dict[str, Any]
    ) -> dict[str, Attack]:
        # FAB on all borders needs a gradient for each class; for many it aims at the likeliest.
        borders = 0 if classes <= MOST_CLASSES else 9
        members: dict[str, Attack] = {
            "apgd-ce": apgd("cross_entropy", restarts=5),
            "apgd-dlr": apgd(dlr, restarts=5),
            "fab": FAB(self.epsilon, targets=borders, restarts=5, **common),
        }
        if self.norm in Square.norms:
            members["square"] = Square(self.epsilon, steps=5000, rescale=False, **common)
        if classes > 3:
            members["apgd-t"] = apgd("targeted_dlr", targets=9)
        members["fab-t"] = FAB(self.epsilon, targets=9, **common)
        return members

    def run(
        self,
        model: keras.Model | Victim,
        images: Any,
        labels: Any = None,
        *,
        targets: Any = None,
        batch_size: int = 256,
        indices: Any = None,
        mask: Any = None,
    ) -> AutoAttackResult:
        """Same as `Attack.run`; the result also has the robust accuracy after each member."""
        if targets is not None:
            raise ValueError("AutoAttack cannot be targeted.")
        images = check_images(images)
        victim = victim_of(model, images)
        self.check(victim, images.shape[1:])
        left_out = self.left_out(victim, images.shape[1:])
        for name, reason in left_out.items():
            warnings.warn(f"AutoAttack leaves out {name}: {reason}", stacklevel=2)
        mask = demands.check_rows(self, images, mask)
        indices = check_indices(indices, len(images))
        logits = victim.predict(images, batch_size=batch_size, indices=indices)
        if labels is None:
            labels = victim.criterion.truth_of(logits)
        labels = victim.truth(labels, len(images))
        adversarial = images.copy()
        success = victim.fooled(logits, labels)
        robust = {"clean": float(np.mean(~success))}
        found = find_warnings(
            victim, images, labels, indices, version=self.version, batch_size=batch_size
        )
        for name, member in self._members(victim).items():
            if name in left_out:
                continue
            left = np.flatnonzero(~success)
            if np.ndim(self.epsilon):
                radii = as_rows("epsilon", np.asarray(self.epsilon), images.shape)
                member = member.replace(epsilon=radii[left])
            result = member.run(
                victim,
                images[left],
                labels[left],
                batch_size=batch_size,
                indices=indices[left],
                mask=None if mask is None else mask[left],
            )
            adversarial[left] = result.adversarial
            success[left] = result.success
            before = list(robust.values())[-1]
            robust[name] = float(np.mean(~success))
            if name == "square":
                found += square_warning(before, robust[name])
        return AutoAttackResult(adversarial, success, labels, robust, left_out, tuple(found))

    def perturb(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("AutoAttack is an evaluation; train against PGD.")
