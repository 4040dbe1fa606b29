"""Keeping the last state and the best one."""

import math
from pathlib import Path

import keras
import numpy as np

from kgan.counter import steps_done
from kgan.files import atomic_path
from kgan.history import Logs, read_history


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole model after each epoch as `last.keras`, and the best one as `best.keras`.

    A state with non-finite weights is never saved, so the last good one stays. Place it after the
    callbacks that add to the logs.

    Args:
        folder: The folder to write to.
        monitor: Key of the logs, `None` to keep the last state only. So do epochs whose logs lack
            it, and epochs that were broken off: the resumed run comes by their end again.
        lower_is_better: Whether its lowest value is the best, or its highest.
        table: The run's `metrics.csv`; a resumed run takes the best value so far from it.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        monitor: str | None,
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

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._first_step = steps_done(self.model)
        rows = read_history(self.table) if self.table else []
        scores = [
            self.sign * row[self.monitor]
            for row in rows
            if self.monitor
            and row["epoch"] <= epoch
            and not math.isnan(row.get(self.monitor, math.nan))
        ]
        self.best = min(scores, default=self.best)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not _is_finite(self.model):
            return
        score = self.sign * (logs or {}).get(self.monitor or "", math.nan)
        done = steps_done(self.model) - self._first_step
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
