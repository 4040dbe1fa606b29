"""Saves the last and the best state of a training."""

import math
import os
import shutil
from pathlib import Path

import keras
import numpy as np

from kgan.counter import steps_done
from kgan.files import atomic_path, temporary_path
from kgan.history import Logs, read_history
from kgan.models.growing import is_grown


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole model after each epoch as `last.keras`, and the best one as `best.keras`.

    The one before the last stays as `previous.keras`, for the day when the last is damaged.
    A state with non-finite weights is never saved, so the last good one stays. Place it after the
    callbacks that add to the logs.

    Args:
        folder: The folder to write to.
        monitor: Name of the logged score that decides which state is the best; `None` keeps the
            last state only. An epoch whose logs lack it is never the best, nor is one that was
            interrupted, since the resumed run will complete it, nor one of networks that grow
            before they have their full size.
        lower_is_better: Whether the lowest score is the best, or the highest.
        table: The run's `metrics.csv`, from which a resumed run takes the best score so far.
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
            and is_grown(self.model, int(row["step"]))
            and not math.isnan(row.get(self.monitor, math.nan))
        ]
        self.best = min(scores, default=self.best)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not _is_finite(self.model):
            return
        score = self.sign * (logs or {}).get(self.monitor or "", math.nan)
        step = steps_done(self.model)
        whole = step - self._first_step >= ((self.params or {}).get("steps") or 0)
        # The best one first: after a crash between the two, the resumed run does both again.
        if score < self.best and whole and is_grown(self.model, step):
            self.best = score
            self._save("best.keras")
        self._save("last.keras", before="previous.keras")

    def _save(self, name: str, *, before: str | None = None) -> None:
        with atomic_path(self.folder / name) as temporary:
            self.model.save(temporary)
            if before is not None and (self.folder / name).is_file():
                _keep(self.folder / name, self.folder / before)


def _keep(path: Path, under: Path) -> None:
    """Gives a file a second name, without a moment in which it has none."""
    with temporary_path(under.parent, under.name) as second:
        try:
            os.link(path, second)
        except OSError:
            # Not every file system has hard links.
            shutil.copyfile(path, second)
        os.replace(second, under)


def _is_finite(model: keras.Model) -> bool:
    return all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)
