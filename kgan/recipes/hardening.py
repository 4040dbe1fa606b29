"""Classifiers that are trained against attacks."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np

import kgan.callbacks
import kgan.data
import kgan.names
from kgan.attacks.victim import Victim, victim_of
from kgan.data import Dataset
from kgan.defenses import (
    METHODS,
    AdversarialTraining,
    GenerativeAdversarialTraining,
    OverfittingGuard,
)
from kgan.defenses.checks import check_classifier, check_trainable
from kgan.recipes.classifier import ClassifierRecipe
from kgan.recipes.recipe import Watched, about
from kgan.settings.hardening import HardeningSettings

# Number of images that the overfitting guard keeps from training.
_HELD = 200


class HardeningRecipe(ClassifierRecipe[HardeningSettings]):
    """Trains a classifier adversarially, from its settings.

    Args:
        settings: The settings, a `HardeningSettings`.
        start: The classifier to harden, as for `AdversarialTraining`; by default a new one.
        fakes: Source of generated images, as for `ClassifierRecipe`.
    """

    family = HardeningSettings.family
    shown = ("loss", "accuracy", "guard_accuracy")
    curves: ClassVar[Mapping[str, Sequence[str]]] = {
        "losses": ("loss",),
        "accuracy": ("accuracy", "guard_accuracy"),
    }

    def __init__(
        self,
        settings: HardeningSettings,
        *,
        start: keras.Model | Victim | None = None,
        **options: Any,
    ):
        super().__init__(settings, **options)
        kgan.names.check("method", settings.method, (*METHODS, "gat"))
        self.start = start

    @functools.cached_property
    def held_and_train(self) -> tuple[Dataset, Dataset]:
        """The few images for the overfitting guard, and the remaining training images."""
        data = self.splits[0]
        rows = np.random.default_rng(self.settings.seed).permutation(len(data))
        count = min(_HELD, len(data) // 5)
        return data.take(np.sort(rows[:count])), data.take(np.sort(rows[count:]))

    def data(self) -> Dataset:
        return self.with_fakes(self.held_and_train[1])

    @property
    def epochs(self) -> int:
        replays = self.settings.replays or 8
        return max(1, self.settings.epochs // (replays if self.settings.method == "free" else 1))

    def model(self, data: Dataset) -> keras.Model:
        classifier = self.network(data) if self.start is None else self.start
        victim = victim_of(classifier, data.take([0, 1]).as_float())
        check_trainable(check_classifier(victim))
        training = self._training(classifier, self.steps_per_epoch(data))
        loss = keras.losses.SparseCategoricalCrossentropy
        if victim.binary:
            loss = keras.losses.BinaryCrossentropy
        steps = self.epochs * self.steps_per_epoch(data) * training.replays
        training.compile(
            self.optimizer(steps, rising_share=0.4),
            loss(from_logits=victim.head == "logits"),
            metrics=[] if victim.binary else ["accuracy"],
            steps_per_execution=self.settings.steps_per_execution,
        )
        return training

    def _training(self, classifier: keras.Model | Victim, steps: int) -> AdversarialTraining:
        """The model that trains the classifier, not compiled yet."""
        settings = self.settings
        common: dict[str, Any] = {
            name: getattr(settings, name) for name in ("epsilon", "norm", "awp", "warmup", "seed")
        }
        if settings.warmup is not None:
            common["warmup"] = settings.warmup * steps
        if settings.method == "gat":
            for name in ("steps", "beta", "replays"):
                if getattr(settings, name) is not None:
                    raise ValueError(f"{name} must be left out for the method gat.")
            return GenerativeAdversarialTraining(classifier, **common)
        attack = None
        if settings.steps is not None:
            make = METHODS[settings.method].attack
            made = None if make is None else make(settings.epsilon, settings.norm)
            if made is None or "steps" not in made.get_config():
                raise ValueError(f"steps must be left out for the method {settings.method}.")
            attack = made.replace(steps=settings.steps)
        return AdversarialTraining(
            classifier,
            method=settings.method,
            attack=attack,
            beta=settings.beta,
            replays=settings.replays,
            batch_size=self.batch_size if settings.method == "free" else None,
            **common,
        )

    def describe(self, data: Dataset, model: keras.Model) -> Sequence[str]:
        settings = self.settings
        return [
            *about(settings.data, data, flip=settings.flip),
            f"hardening {model.classifier.name} by {settings.method}, "
            f"{settings.norm} {settings.epsilon:.4g}: {self.epochs} epochs of "
            f"{self.steps_per_epoch(data)} steps",
        ]

    def watch(self, data: Dataset, steps: int, *, table: Path) -> Watched:
        if not self.settings.guard:
            return Watched()
        held = self.held_and_train[0]
        guard = OverfittingGuard(
            held.as_float(),
            held.labels,
            epsilon=self.settings.epsilon,
            norm=self.settings.norm,
            keep=table.with_name("guard.npz"),
        )
        return Watched([guard])
