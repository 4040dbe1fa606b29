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
        monitor: Key of the logs; the lowest value is the best. Where the logs lack it, only the
            last state is kept.
        table: The run's `metrics.csv`; a resumed run takes the best value so far from it.
    """

    def __init__(self, folder: str | Path, *, monitor: str, table: str | Path | None = None):
        super().__init__()
        self.folder = Path(folder)
        self.monitor = monitor
        self.table = table
        self.best = math.inf

    def on_epoch_begin(self, epoch, logs=None):
        rows = read_history(self.table) if self.table else []
        scores = [
            row[self.monitor] for row in rows if row["epoch"] <= epoch and self.monitor in row
        ]
        self.best = min(scores, default=self.best)

    def on_epoch_end(self, epoch, logs=None):
        if not _is_finite(self.model):
            return
        score = (logs or {}).get(self.monitor)
        # The best one first: after a crash in between, the resumed run comes by here again.
        if score is not None and score < self.best:
            self.best = score
            self._save("best.keras")
        self._save("last.keras")

    def _save(self, name: str) -> None:
        with atomic_path(self.folder / name) as temporary:
            self.model.save(temporary)


def _is_finite(model: keras.Model) -> bool:
    return all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)
