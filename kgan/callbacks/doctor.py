"""A callback that watches a GAN train, names what goes wrong and says what to try."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from kgan.callbacks.diagnosis import PROBLEMS, Finding, Patient, diagnose
from kgan.callbacks.vital_signs import Examiner, VitalSigns
from kgan.files import atomic_path


class CollapseDoctor(keras.callbacks.Callback):
    """Names mode collapse, a discriminator that is too strong, a vanishing generator gradient,
    oscillation, memorisation and divergence while a `kgan.models.GAN` trains.

    Every `every` steps it takes the vital signs (`kgan.callbacks.VitalSigns`): of both players in
    inference mode, and of 256 generated samples beside 256 training samples. Each problem is
    printed once, in a line with its figures and what to try. It draws with stateless seeds and
    updates nothing, so training is the same to the bit with and without it.

    Args:
        real: float32 training samples, images in [0, 1], in random order, at least 64. Copies are
            looked for in these only, and in `reference_size(sample_shape)` of them at most.
        labels: Their labels, where the GAN is conditional.
        training_size: Samples in the whole training set; default those given.
        label: Maps samples (n, ...) to class numbers (n,), to watch the generated classes; a
            classifier is `lambda images: model.predict(images, verbose=0).argmax(axis=1)`.
        folder: Where to write `findings.json`, if anywhere.
        every: Generator updates between two check-ups. One costs about three steps of a
            small network, fewer of a large one.
        roll_back: Whether a collapse or a divergence ends the training and gives generator and
            average the weights that the average had at its best check-up (the smallest sliced
            Wasserstein distance).
        seed: Of the latents.

    Attributes:
        findings: What was found so far, a list of `Finding`.
        signs: The `VitalSigns` of every check-up.
        rolled_back: Whether the weights are those of an earlier check-up.
    """

    def __init__(
        self,
        real: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        training_size: int | None = None,
        label: Callable[[np.ndarray], np.ndarray] | None = None,
        folder: str | Path | None = None,
        every: int = 500,
        roll_back: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}.")
        self.examiner = Examiner(real, labels, label=label, seed=seed)
        self.copied_share = len(self.examiner.reference) / (training_size or len(real))
        self.path = None if folder is None else Path(folder) / "findings.json"
        self.every = every
        self.roll_back = roll_back
        self.findings: list[Finding] = []
        self.signs: list[VitalSigns] = []
        self.rolled_back = False
        self._best: tuple[float, list[np.ndarray]] | None = None
        self._done = 0

    def on_train_begin(self, logs=None):
        self._done = int(self.model.step.numpy())
        if self.path is not None and self.path.is_file() and not self.findings:
            # Of the run that is resumed.
            self.findings = [Finding(**row) for row in json.loads(self.path.read_text())]

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step.numpy())
        # A call may be several steps, so a multiple can be passed by.
        if step // self.every > self._done // self.every:
            self._check_up()
        self._done = step

    def on_train_end(self, logs=None):
        # Whatever ended the training may have come before the next check-up.
        if self.roll_back and not self.rolled_back and not _is_finite(self.model):
            self._check_up()

    def _check_up(self) -> None:
        now = self.examiner.examine(self.model)
        self.signs.append(now)
        if now.finite and (self._best is None or now.distance < self._best[0]):
            self._best = (now.distance, self.model.ema_generator.get_weights())
        patient = Patient(self.signs, self.examiner.real_classes, self.copied_share)
        known = {finding.name for finding in self.findings}
        new = [finding for finding in diagnose(patient) if finding.name not in known]
        for finding in new:
            self.findings.append(finding)
            print(f"doctor: {finding}", flush=True)
        if new and self.path is not None:
            self._write(self.path)
        if self.roll_back and any(PROBLEMS[finding.name].harmful for finding in new):
            self._restore()

    def _write(self, path: Path) -> None:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps([f.as_dict() for f in self.findings], indent=2) + "\n")

    def _restore(self) -> None:
        self.model.stop_training = True
        if self._best is None:
            return
        self.rolled_back = True
        self.model.generator.set_weights(self._best[1])
        self.model.ema_generator.set_weights(self._best[1])
        print("doctor: rolled back to the best average so far; training ends", flush=True)


def _is_finite(gan: keras.Model) -> bool:
    return all(np.isfinite(weight).all() for weight in gan.generator.get_weights())
