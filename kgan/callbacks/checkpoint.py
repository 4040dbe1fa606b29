"""Keeping the last state and the best one."""

import math
from pathlib import Path

import keras
import numpy as np

from kgan.callbacks.history import read_history
from kgan.files import atomic_path


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole model after each epoch as `last.keras`, and the best one as `best.keras`.

    A state with non-finite weights is never saved, so the last good one stays. Place it after the
    callbacks that add to the logs.

    Args:
        folder: Where to write.
        monitor: Key of the logs. Where the logs lack it, only the last state is kept; where an
            epoch was broken off too, as the resumed run will come by its end again.
        lower_is_better: Whether its lowest value is the best, or its highest.
        table: The run's `metrics.csv`; a resumed run takes the best value so far from it.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        monitor: str,
        lower_is_better: bool = True,
        table: str | Path | None = None,
    ):
        super().__init__()
        self.folder = Path(folder)
        self.monitor = monitor
        self.table = table
        self.sign = 1.0 if lower_is_better else -1.0
        self.best = math.inf
        self._first_step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._first_step = int(self.model.step.numpy())
        rows = read_history(self.table) if self.table else []
        scores = [
            self.sign * row[self.monitor]
            for row in rows
            if row["epoch"] <= epoch and not math.isnan(row.get(self.monitor, math.nan))
        ]
        self.best = min(scores, default=self.best)

    def on_epoch_end(self, epoch, logs=None):
        if not _is_finite(self.model):
            return
        score = self.sign * (logs or {}).get(self.monitor, math.nan)
        done = int(self.model.step.numpy()) - self._first_step
        whole = done >= ((self.params or {}).get("steps") or 0)
        # The best one first: after a crash in between, the resumed run comes by here again.
        if score < self.best and whole:
            self.best = score
            self._save("best.keras")
        self._save("last.keras")

    def _save(self, name: str) -> None:
        with atomic_path(self.folder / name) as temporary:
            self.model.save(temporary)


def _is_finite(model: keras.Model) -> bool:
    return all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)
