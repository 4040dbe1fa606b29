"""Scores the averaged generator during training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kgan.history import Logs, read_history
from kgan.metrics import METRICS
from kgan.metrics.measure import measure, published_name
from kgan.metrics.sample_set import SampleSet
from kgan.models.growing import is_grown


class MetricMonitor(keras.callbacks.Callback):
    """Adds scores to the logs under their published names, and can stop when they stop improving.

    Scores are computed at the end of each epoch in which the step count reached or passed a
    multiple of `every`; if an epoch has at least `every` steps, that is every epoch. The scores
    use their own seeds and change nothing, so a run has the same weights with and without them.
    Place this callback before those that write the logs.

    Args:
        real: Float32 real samples (n, ...). With their `data` and `split` given, their features
            may be cached on disk. As many samples are generated, with the same labels.
        metrics: Keys of `kgan.metrics.METRICS`.
        decides: Name of the score that decides which state is the best, such as "stacked_kl"; by
            default the first score of the first metric.
        every: Number of steps between two scores.
        steps_per_epoch: Number of steps in an epoch.
        settings: Maps the name of a metric to its keyword arguments.
        patience: Number of scores in a row without a new best after which training stops; `None`
            never stops it. Scores of networks that grow count from their full size on.
        table: The run's `metrics.csv`, from which a resumed run reads its earlier scores.
        seed: Seed of the latents, an int.

    Attributes:
        monitor: Name of the score that decides which state is the best, for `Checkpoint`.
    """

    def __init__(
        self,
        real: SampleSet,
        *,
        metrics: Sequence[str],
        decides: str | None = None,
        every: int,
        steps_per_epoch: int,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        patience: int | None = None,
        table: str | Path | None = None,
        seed: int = 0,
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1 step, got {every}.")
        self.real = real
        self.metrics = list(metrics)
        self.every = every
        self.steps_per_epoch = steps_per_epoch
        self.settings = settings
        self.patience = patience
        self.table = table
        self.seed = seed
        scores = {score: name for name in metrics for score in METRICS[name].lower_is_better}
        score = decides or next(iter(scores))
        if score not in scores:
            raise ValueError(f"decides must be one of {', '.join(scores)}, got {decides!r}.")
        self.monitor = published_name(scores[score], score, real.extractor)
        self.lower_is_better = METRICS[scores[score]].lower_is_better[score]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        last = int(self.model.step.numpy())
        # An epoch that was interrupted is finished, and then scored, by the resumed run.
        whole = last % self.steps_per_epoch == 0
        due = last // self.every > (last - self.steps_per_epoch) // self.every
        if logs is None or not (whole and due):
            return
        logs |= self.scores()
        if self.patience is None or not is_grown(self.model, last):
            return
        if self._since_best(epoch, logs) >= self.patience:
            print(f"{self.monitor} has not improved in {self.patience} scores: training ends")
            self.model.stop_training = True

    def scores(self) -> dict[str, float]:
        """The scores of the averaged generator with its present weights, by name."""
        labels = None if self.model.num_classes is None else self.real.labels
        samples = self.model.generate(len(self.real), labels, seed=self.seed)
        fake = SampleSet(samples, labels, kind=self.real.kind, extractor=self.real.extractor)
        finite = self.real.kind.is_finite(samples)
        found = {}
        for name in self.metrics:
            values = measure(name, self.real, fake, self.settings) if finite else None
            for score in METRICS[name].lower_is_better:
                value = float("nan") if values is None else values[score]
                found[published_name(name, score, self.real.extractor)] = value
        return found

    def _since_best(self, epoch: int, logs) -> int:
        """Number of scores since the best one, of those at the full size."""
        rows = read_history(self.table) if self.table else []
        values = [
            row[self.monitor]
            for row in rows
            if row["epoch"] <= epoch
            and self.monitor in row
            and is_grown(self.model, int(row["step"]))
        ]
        values.append(logs[self.monitor])
        signed = np.array(values) if self.lower_is_better else -np.array(values)
        return len(values) - 1 - int(np.argmin(np.where(np.isnan(signed), np.inf, signed)))
