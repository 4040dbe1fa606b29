"""A callback that watches a GAN train, names what goes wrong and says what to try."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.callbacks.diagnosis import (
    PROBLEMS,
    Finding,
    Patient,
    diagnose,
    read_findings,
    write_findings,
)
from kgan.callbacks.vital_signs import Examiner, VitalSigns
from kgan.history import Logs
from kgan.models.growing import is_grown


class CollapseDoctor(keras.callbacks.Callback):
    """Names mode collapse, a discriminator that is too strong, a vanishing generator gradient,
    oscillation, memorisation and divergence while a `kgan.models.GAN` trains.

    Every `every` steps it measures the vital signs (`kgan.callbacks.VitalSigns`) of both players
    in inference mode, and compares 256 generated samples with 256 training samples. Each problem
    is printed once, in a line with its figures and what to try. The doctor draws with stateless
    seeds and updates nothing, so training is bit for bit the same with and without it.

    Networks that grow (`phase_steps` of the GAN) are looked at from their full size on: before it
    their samples are alike for want of detail, not by a collapse.

    Args:
        real: float32 training samples, images in [0, 1], in random order, at least 64.
        labels: Labels of these samples, where the GAN is conditional.
        training: The whole training set, floats or uint8, in which copies are looked for (of more
            than 100 million values a part); those given by default.
        label: Maps samples (n, ...) to class numbers (n,), to watch the generated classes; a
            classifier is `lambda images: model.predict(images, verbose=0).argmax(axis=1)`.
        folder: The folder that gets `findings.json`, if any.
        every: Generator updates between two check-ups. One takes as long as a few steps; on a
            large training set, up to a few seconds.
        roll_back: Whether a collapse or a divergence ends the training and restores the weights of
            the best check-up (the smallest sliced Wasserstein distance). The generator and its
            average both get the weights that the average had; the discriminator gets its own.
        seed: Seed of the latents, an int.

    Attributes:
        findings: The problems found so far, a list of `Finding`.
        signs: The `VitalSigns` of every check-up, a list.
        rolled_back: Whether the weights of an earlier check-up were restored.
    """

    def __init__(
        self,
        real: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        training: Any = None,
        label: Callable[[np.ndarray], np.ndarray] | None = None,
        folder: str | Path | None = None,
        every: int = 500,
        roll_back: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}.")
        self.examiner = Examiner(real, labels, training=training, label=label, seed=seed)
        self.copied_share = len(self.examiner.searched) / len(self.examiner.training)
        self.path = None if folder is None else Path(folder) / "findings.json"
        self.every = every
        self.roll_back = roll_back
        self.findings: list[Finding] = []
        self.signs: list[VitalSigns] = []
        self.rolled_back = False
        self._best: tuple[float, list[np.ndarray], list[np.ndarray]] | None = None
        self._done = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        self._done = int(self.model.step.numpy())
        if self.path is not None and not self.findings:
            # The findings of the resumed run. One of a smaller size tells nothing of the full one.
            found = read_findings(self.path)
            self.findings = [one for one in found if is_grown(self.model, one.step)]

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        step = int(self.model.step.numpy())
        # One call may run several steps, so the step may skip an exact multiple of `every`.
        if step // self.every > self._done // self.every and is_grown(self.model, step):
            self._check_up()
        self._done = step

    def on_train_end(self, logs: Logs = None) -> None:
        # The training may have diverged and ended after the last check-up.
        if self.roll_back and not self.rolled_back and not _is_finite(self.model):
            self._check_up()

    def _check_up(self) -> None:
        now = self.examiner.examine(self.model)
        self.signs.append(now)
        if now.finite and (self._best is None or now.distance < self._best[0]):
            players = self.model.ema_generator, self.model.discriminator
            self._best = (now.distance, *(player.get_weights() for player in players))
        patient = Patient(self.signs, self.examiner.real_classes, self.copied_share)
        known = {finding.name for finding in self.findings}
        new = [finding for finding in diagnose(patient) if finding.name not in known]
        for finding in new:
            self.findings.append(finding)
            print(f"doctor: {finding}", flush=True)
        if new and self.path is not None:
            write_findings(self.path, self.findings)
        if self.roll_back and any(PROBLEMS[finding.name].harmful for finding in new):
            self._restore()

    def _restore(self) -> None:
        self.model.stop_training = True
        if self._best is None:
            return
        self.rolled_back = True
        _, average, discriminator = self._best
        self.model.generator.set_weights(average)
        self.model.ema_generator.set_weights(average)
        # Diverged values left in the optimizers would keep the state from being saved, or would
        # spoil the restored weights in a resumed training.
        self.model.discriminator.set_weights(discriminator)
        for optimizer in (self.model.g_optimizer, self.model.d_optimizer):
            for variable in optimizer.variables:
                if not np.isfinite(variable.numpy()).all():
                    variable.assign(tf.zeros_like(variable))
        print("doctor: rolled back to the best average so far; training ends", flush=True)


def _is_finite(gan: keras.Model) -> bool:
    return all(np.isfinite(weight).all() for weight in gan.generator.get_weights())
