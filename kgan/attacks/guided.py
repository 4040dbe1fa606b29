"""The surrogate-guided transfer attack: uses gradients of other models to fool the victim."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import demands
from kgan.attacks.attack import Attack
from kgan.attacks.checks import (
    check_count,
    check_images,
    check_indices,
    check_norm,
    check_pixels,
    check_radii,
    has_pixels,
)
from kgan.attacks.momentum_pgd import MomentumPGD
from kgan.attacks.pgd import PGD
from kgan.attacks.result import Result
from kgan.attacks.substitute import distill
from kgan.attacks.victim import Victim, victim_of
from kgan.models.norm_ball import usual_radius
from kgan.random import check_seed


@dataclasses.dataclass(frozen=True)
class GuidedResult(Result):
    """A `Result` that also tells how the surrogates and a white-box attack did.

    Attributes:
        surrogate_success: Whether the image fools the surrogates, bool (n,).
        white_box_success: Whether PGD with the victim's own gradients fools within the same ball,
            bool (n,): the bound that a transfer attack cannot be expected to pass. `None` where
            that was not asked for.
        queries: How many labels the victim was asked for: for the substitute, and one for each
            image.
    """

    surrogate_success: np.ndarray
    white_box_success: np.ndarray | None
    queries: int


class Average(keras.Model):
    """The mean of several classifiers' logits, of images in [0, 1] with their channels last."""

    def __init__(self, models: Sequence[keras.Model | Victim], images: np.ndarray):
        super().__init__()
        self.victims = [victim_of(model, images) for model in models]
        self.models = [victim.model for victim in self.victims]
        self.built = True
        self._mean = tf.function(self._average, autograph=False)

    def _average(self, images: tf.Tensor) -> tf.Tensor:
        return tf.add_n([victim.logits(images) for victim in self.victims]) / len(self.victims)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self._mean(images)


@keras.saving.register_keras_serializable(package="kgan")
class Guided(Attack):
    """Attacks surrogate models with momentum PGD; the images often fool the victim too.

    The victim gives only labels. Without surrogates a substitute is distilled from it within a
    budget of queries (`distill`) and kept for further runs. On the command line this attack is
    called `guided` or `at`; it has nothing to do with adversarial training.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1], or an array of radii; see `PGD`,
            also for `None`.
        surrogates: A classifier or several, trained for the same classes; None distills one.
        query_budget: Largest number of labels that distilling may ask for.
        norm: "linf", "l2" or "l1".
        steps: Steps of momentum PGD on the mean of the surrogates' logits.
        decay: Momentum of that attack.
        diversity: Probability of a randomly shrunk copy at each step; helps transfer.
        translation: Side of the kernel that smooths the gradient, odd; 0 for none.
        nesterov: Whether the gradient is taken where the momentum would lead (NI-FGSM).
        scales: Number of fainter copies whose gradients are averaged (SI-FGSM); 5 is published.
        neighbours: Number of random neighbours that correct the gradient (VMI-FGSM); 20 is
            published, 0 for none.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        white_box: Whether to run PGD on the victim too, to report the bound; where it shows no
            gradients there is none.
        seed: Seed of the copies and of distilling.

    Reference:
        Papernot et al., "Practical black-box attacks against machine learning", 2017.
        Dong et al., "Boosting adversarial attacks with momentum", 2018, section 3.2 (ensembles).
    """

    category = "black-box"
    needs = "labels"
    takes_arrays = True
    tensors: tuple[str, ...] = ("epsilon", "seed")

    def __init__(
        self,
        epsilon: float | np.ndarray | None = None,
        *,
        surrogates: keras.Model | Sequence[keras.Model] | None = None,
        query_budget: int = 2000,
        norm: str = "linf",
        steps: int = 20,
        decay: float = 1.0,
        diversity: float = 0.5,
        translation: int = 0,
        nesterov: bool = False,
        scales: int = 1,
        neighbours: int = 0,
        quantize: bool = False,
        white_box: bool = True,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radii("epsilon", usual_radius(epsilon, norm), norm)
        self.surrogates = surrogates
        self.query_budget = check_count("query_budget", query_budget)
        self.steps = check_count("steps", steps)
        self.decay = float(decay)
        self.diversity = float(diversity)
        self.translation = translation
        self.nesterov = nesterov
        self.scales = scales
        self.neighbours = neighbours
        self.quantize = quantize
        self.white_box = white_box
        self.seed = check_seed(seed)
        self._base(has_pixels=True)  # Which checks the rest.

    def _base(self, *, has_pixels: bool) -> MomentumPGD:
        """The attack on the surrogates; images without pixels have no shrunk copies."""
        return MomentumPGD(
            self.epsilon,
            steps=self.steps,
            norm=self.norm,
            decay=self.decay,
            diversity=self.diversity if has_pixels else 0.0,
            translation=self.translation,
            nesterov=self.nesterov,
            scales=self.scales,
            neighbours=self.neighbours,
            quantize=self.quantize,
            seed=self.seed,
        )

    def prepared(self, model: keras.Model | Victim, images: np.ndarray) -> Attack:
        """A copy of this attack with surrogates; if it has none, distills one on these images."""
        if self.surrogates is not None:
            return self
        substitute, _ = distill(
            victim_of(model, images), images, query_budget=self.query_budget, seed=self.seed
        )
        return self.replace(surrogates=substitute)

    def _guide(self, victim: Victim, images: np.ndarray) -> tuple[Victim, int]:
        """The surrogates as one classifier, and the number of queries used to make them."""
        queries = 0
        models = self.surrogates
        if models is None:
            models, queries = distill(
                victim, images, query_budget=self.query_budget, seed=self.seed
            )
        models = [models] if isinstance(models, keras.Model | Victim) else list(models)
        guide = Average(models, images)
        for surrogate in guide.victims:
            if surrogate.held is not None:
                raise ValueError(f"surrogate {surrogate.name} must take images alone.")
            if surrogate.classes != victim.classes:
                raise ValueError(
                    f"surrogate {surrogate.name} has {surrogate.classes} classes, "
                    f"{victim.name} has {victim.classes}."
                )
        guided = Victim(
            guide, head="logits", data_format="channels_last", criterion=victim.criterion
        )
        return guided, queries

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        if self.translation:
            check_pixels("Guided with translation", shape)
        if victim.criterion.takes == "values":
            raise ValueError(
                f"Guided follows classifiers, and {victim.name} is none ({victim.criterion!r})."
            )
        if self.surrogates is None and (victim.held is not None or not victim.criterion.by_class):
            raise ValueError(
                "Guided distils a substitute from classes of images alone: give surrogates= for "
                f"{victim.name}."
            )
        if self.diversity and has_pixels(shape):
            victim.check_layout(type(self).__name__, shape)

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
    ) -> GuidedResult:
        """Same as `Attack.run`; the result also tells how the surrogates and PGD did."""
        images = check_images(images)
        if labels is not None and targets is not None:
            raise ValueError("pass labels (classes to leave) or targets (to reach), not both.")
        victim = victim_of(model, images)
        self.check(victim, images.shape[1:])
        mask = demands.check_rows(self, images, mask)
        guide, queries = self._guide(victim, images)
        indices = check_indices(indices, len(images))
        before = victim.predict(images, batch_size=batch_size, indices=indices)
        given = targets if targets is not None else labels
        wanted = victim.criterion.truth_of(before) if given is None else given
        wanted = victim.truth(wanted, len(images))
        how = {"batch_size": batch_size, "indices": indices, "mask": mask}
        how["labels" if targets is None else "targets"] = wanted

        def fooled(outputs: np.ndarray) -> np.ndarray:
            return victim.fooled(outputs, wanted, targeted=targets is not None)

        base = self._base(has_pixels=has_pixels(images.shape[1:]))
        moved = base.last_iterates(guide, images, **how)
        by_surrogate = victim_of(guide, images).predict(moved, batch_size=batch_size)
        after = victim.predict(moved, batch_size=batch_size, indices=indices)
        already, success = fooled(before), fooled(after)
        kept = (success & ~already).reshape([-1] + [1] * (images.ndim - 1))
        white_box = None
        if self.white_box and victim.shows == "gradients":
            bound = PGD(self.epsilon, norm=self.norm, quantize=self.quantize, seed=self.seed)
            white_box = bound.run(victim, images, **how)
        return GuidedResult(
            adversarial=np.where(kept, moved, images),
            success=success | already,
            labels=wanted,
            surrogate_success=fooled(by_surrogate),
            white_box_success=None if white_box is None else white_box.success,
            queries=queries + len(images),
        )

    def perturb(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("Guided asks its victim for labels; train against MomentumPGD.")
