"""Stops one-step adversarial training when the classifier loses its robustness."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from kgan.attacks import PGD
from kgan.attacks.checks import check_count
from kgan.attacks.victim import victim_of
from kgan.files import atomic_path
from kgan.history import Logs
from kgan.labels import class_numbers


class OverfittingGuard(keras.callbacks.Callback):
    """Stops training on catastrophic overfitting and restores the best weights.

    A classifier trained on one-step attacks may suddenly withstand only those: its accuracy on the
    training attack still rises, while its accuracy against PGD falls to zero. So this callback
    regularly attacks a few held-out images with PGD. If the accuracy is more than `drop` below the
    best one so far, training stops and the weights of the best check are restored.

    Args:
        images: Held images, float32 (n, ...) in [0, 1]; a batch will do.
        labels: Labels of these images: integers, a column, or one-hot.
        epsilon: Radius of the attack's ball; by norm if `None`, as of `PGD`.
        norm: Norm of that ball.
        drop: The fall that stops the training, as a share: 0.2 is 20 points.
        every: Batches between two looks, besides those before training and after each epoch.
        keep: A file ending in .npz for the best look, from which a resumed training goes on.

    Attributes:
        best: The best accuracy so far, in [0, 1].
        fired: Whether the guard stopped the training.

    The accuracy is in the epoch's logs as `guard_accuracy`.

    Reference:
        Wong et al., "Fast is better than free", 2020, section 5.4: PGD of 5 steps on a batch, and
        a fall by more than 20 points.
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        *,
        epsilon: float | None = None,
        norm: str = "linf",
        drop: float = 0.2,
        every: int | None = None,
        keep: str | Path | None = None,
    ):
        super().__init__()
        self.attack = PGD(epsilon, steps=5, norm=norm)
        if not 0.0 < drop <= 1.0:
            raise ValueError(f"drop must be a share in (0, 1], got {drop}.")
        self.images = np.asarray(images)
        self.labels = labels
        self.drop = drop
        self.every = None if every is None else check_count("every", every)
        self.best = 0.0
        self.fired = False
        self.keep = None if keep is None else Path(keep)
        self._weights: list[np.ndarray] | None = None
        self._batches = 0

    def accuracy(self) -> float:
        """The share of the held images that PGD does not fool now."""
        victim = victim_of(self.model.victim, self.images[:2])
        # Against true labels: given none, the attack would take the model's own.
        labels = class_numbers(self.labels, len(self.images), victim.classes)
        # Its guess of the range says nothing of a classifier in training.
        victim.judged_range = True
        return 1.0 - float(self.attack.run(victim, self.images, labels).success.mean())

    def on_train_begin(self, logs: Logs = None) -> None:
        if not hasattr(self.model, "classifier"):
            raise TypeError(
                "OverfittingGuard watches kgan.defenses.AdversarialTraining, got the plain model "
                f"{self.model.name}: fit AdversarialTraining({self.model.name})."
            )
        # A second fit may train another classifier.
        self.best, self.fired, self._weights = 0.0, False, None
        if self.keep is not None and self.keep.is_file():
            self._read(self.keep)
        else:
            # A classifier that is robust already may lose it within a few batches.
            self._look()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._batches = 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._batches = batch + 1
        if self.every is not None and (batch + 1) % self.every == 0:
            self._look()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self._batches < ((self.params or {}).get("steps") or 0):
            return  # The epoch was interrupted; a resumed training finishes and checks it.
        accuracy = self._look()
        if logs is not None:
            logs["guard_accuracy"] = accuracy

    def on_train_end(self, logs: Logs = None) -> None:
        if self.fired and self._weights is not None:
            self.model.classifier.set_weights(self._weights)

    def _look(self) -> float:
        accuracy = self.accuracy()
        if accuracy >= self.best:
            self.best = accuracy
            self._weights = self.model.classifier.get_weights()
            self._write()
        elif accuracy < self.best - self.drop:
            self.fired = True
            self.model.stop_training = True
            self._write()
        return accuracy

    def _write(self) -> None:
        if self.keep is None or self._weights is None:
            return
        weights: dict[str, Any] = {f"weight {i}": one for i, one in enumerate(self._weights)}
        with atomic_path(self.keep) as temporary:
            np.savez(temporary, best=self.best, fired=self.fired, **weights)

    def _read(self, path: Path) -> None:
        with np.load(path) as content:
            self.best, self.fired = float(content["best"]), bool(content["fired"])
            self._weights = [content[f"weight {i}"] for i in range(len(content) - 2)]
