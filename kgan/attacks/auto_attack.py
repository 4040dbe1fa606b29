"""AutoAttack: the standard ensemble of parameter-free attacks."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kgan.attacks.apgd import APGD
from kgan.attacks.attack import Attack, Result
from kgan.attacks.auto_attack_checks import find_warnings, square_warning
from kgan.attacks.checks import check_images, check_norm, check_radius
from kgan.attacks.fab import FAB, MOST_CLASSES
from kgan.attacks.square import Square
from kgan.attacks.victim import Victim, victim_of
from kgan.labels import class_numbers
from kgan.random import check_seed


@dataclasses.dataclass(frozen=True)
class AutoAttackResult(Result):
    """A `Result` that also tells the robust accuracy after each member, and warns.

    Attributes:
        robust: The share of images that are not fooled so far: "clean", and after each member, by
            its name.
        warnings: What makes the figures unreliable, in sentences; see `auto_attack_checks`.
    """

    robust: dict[str, float]
    warnings: tuple[str, ...] = ()


@keras.saving.register_keras_serializable(package="kgan")
class AutoAttack(Attack):
    """The standard ensemble; each member attacks the images that the earlier ones did not fool.

    `version="standard"`: APGD on the cross-entropy, APGD on the targeted DLR loss and FAB, both
    against the 9 likeliest other classes, and Square with 5000 queries. In l1: APGD with 5 starts
    and 5 targets; Square is not defined there, so it is left out. `version="rand"`, for models that
    are random: APGD on the cross-entropy and on the DLR loss, 20 gradients averaged at each step.
    `version="plus"`: APGD on the cross-entropy and on the DLR loss and FAB on all borders, each
    with 5 starts, Square, and the two targeted attacks; slower and hardly stronger.

    A model with fewer than four classes has no targeted DLR loss, and one with two no DLR loss;
    APGD on the margin takes their place.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1].
        norm: "linf", "l2" or "l1".
        version: "standard", "plus" or "rand".
        seed: Seed of all members, an int.

    Reference:
        Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
        parameter-free attacks", 2020, section 5.
    """

    targetable = False
    category = None

    def __init__(
        self,
        epsilon: float = 0.3,
        *,
        norm: str = "linf",
        version: str = "standard",
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radius("epsilon", epsilon, norm)
        if version not in ("standard", "plus", "rand"):
            raise ValueError(f"version must be standard, plus or rand, got {version!r}.")
        self.version = version
        self.seed = check_seed(seed)

    def members(self, classes: int) -> dict[str, Attack]:
        """The attacks to run on a model with this number of classes, by name."""
        common: dict[str, Any] = {"norm": self.norm, "seed": self.seed}

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
        if not sparse:
            members["square"] = Square(self.epsilon, steps=5000, rescale=False, **common)
        return members

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
    ) -> AutoAttackResult:
        """Same as `Attack.run`; the result also has the robust accuracy after each member."""
        if targets is not None:
            raise ValueError("AutoAttack cannot be targeted.")
        images = check_images(images)
        victim = victim_of(model, images)
        indices = np.arange(len(images)) if indices is None else np.asarray(indices)
        logits = victim.predict(images, batch_size=batch_size)
        if labels is None:
            labels = logits.argmax(axis=1)
        labels = class_numbers(labels, len(images), victim.classes)
        adversarial = images.copy()
        success = logits.argmax(axis=1) != labels
        robust = {"clean": float(np.mean(~success))}
        warnings = find_warnings(
            victim, images, labels, version=self.version, batch_size=batch_size
        )
        for name, member in self.members(victim.classes).items():
            left = np.flatnonzero(~success)
            result = member.run(
                victim,
                images[left],
                labels[left],
                batch_size=batch_size,
                indices=indices[left],
            )
            adversarial[left] = result.adversarial
            success[left] = result.success
            before = list(robust.values())[-1]
            robust[name] = float(np.mean(~success))
            if name == "square":
                warnings += square_warning(before, robust[name])
        return AutoAttackResult(adversarial, success, labels, robust, tuple(warnings))

    def perturb(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("AutoAttack is an evaluation; train against PGD.")
