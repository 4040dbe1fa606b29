"""Scores of the averaged generator while it trains."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kgan.history import Logs, read_history
from kgan.metrics import METRICS
from kgan.metrics.measure import measure, published_name
from kgan.metrics.sample_set import SampleSet


class MetricMonitor(keras.callbacks.Callback):
    """Adds scores to the logs, under their published names, and may stop when they get no better.

    Scores are taken when an epoch ends: of the epochs in which the step count reached or passed a
    multiple of `every`. With an epoch of that many steps or more that is each epoch. They draw from
    seeds of their own and change nothing, so a run with scores and one without have the same
    weights. Place it before the callbacks that write the logs.

    Args:
        real: Real samples, float32, with `data` and `split` where their features may be kept on
            disk. Generated samples are as many and get the same labels.
        metrics: Keys of `kgan.metrics.METRICS`.
        decides: The score that decides which state is the best, such as "stacked_kl"; by default
            the first one of the first metric.
        every: Steps between two scores.
        steps_per_epoch: Steps in an epoch.
        settings: Keyword arguments of the metrics, by name.
        patience: Stop after so many scores in a row without a better one; `None` never stops.
        table: The run's `metrics.csv`, from which a resumed run counts on.
        seed: Seed of the latents.

    Attributes:
        monitor: Name of the score that decides, for `Checkpoint`.
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
        # A stop inside an epoch leaves it to be finished, and scored, by the resumed run; which is
        # due when the whole epoch is.
        whole = last % self.steps_per_epoch == 0
        due = last // self.every > (last - self.steps_per_epoch) // self.every
        if logs is None or not (whole and due):
            return
        logs |= self.scores()
        if self.patience is not None and self._since_best(epoch, logs) >= self.patience:
            print(f"{self.monitor} has not improved in {self.patience} scores: training ends")
            self.model.stop_training = True

    def scores(self) -> dict[str, float]:
        """The scores of the averaged generator as it is."""
        labels = None if self.model.num_classes is None else self.real.labels
        samples = self.model.generate(len(self.real), labels, seed=self.seed)
        fake = SampleSet(samples, labels, kind=self.real.kind, extractor=self.real.extractor)
        finite = bool(np.isfinite(samples).all())
        found = {}
        for name in self.metrics:
            values = measure(name, self.real, fake, self.settings) if finite else None
            for score in METRICS[name].lower_is_better:
                value = float("nan") if values is None else values[score]
                found[published_name(name, score, self.real.extractor)] = value
        return found

    def _since_best(self, epoch: int, logs) -> int:
        """How many scores came after the best one."""
        rows = read_history(self.table) if self.table else []
        values = [r[self.monitor] for r in rows if r["epoch"] <= epoch and self.monitor in r]
        values.append(logs[self.monitor])
        signed = np.array(values) if self.lower_is_better else -np.array(values)
        return len(values) - 1 - int(np.argmin(np.where(np.isnan(signed), np.inf, signed)))
