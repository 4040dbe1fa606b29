"""The logs of each epoch, as a table and as curves."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from kgan.counter import steps_done
from kgan.history import Logs, read_history, write_history
from kgan.pictures.curves import draw_curves

CURVES = {"losses": ("d_loss", "g_loss", "penalty"), "probabilities": ("d_real", "d_fake")}


class HistoryTable(keras.callbacks.Callback):
    """Writes the logs of each epoch as a row of a CSV file, with step, seconds and samples/s.

    A resumed run continues the table: rows of epochs that it trains again are replaced. The whole
    table is written under a temporary name and then renamed, so no reader sees half a table.

    Args:
        path: The CSV file.
        samples_per_step: Number of real samples in a step, to compute the speed.
    """

    def __init__(self, path: str | Path, *, samples_per_step: int):
        super().__init__()
        self.path = Path(path)
        self.samples_per_step = samples_per_step
        self._rows: list[dict[str, float]] = []

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._rows = [row for row in read_history(self.path) if row["epoch"] <= epoch]
        self._begin = time.perf_counter()
        self._first_step = steps_done(self.model)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        seconds = time.perf_counter() - self._begin
        step = steps_done(self.model)
        speed = (step - self._first_step) * self.samples_per_step / seconds
        row = {"epoch": epoch + 1, "step": step, "seconds": round(seconds, 2)}
        row |= {"samples_per_second": round(speed, 1)}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append(row)
        write_history(self.path, self._rows)


class HistoryPlot(keras.callbacks.Callback):
    """Draws the logs of a `metrics.csv` as curves, during training and when it ends.

    Args:
        table: The CSV file.
        folder: The folder to write to.
        curves: Names of the logs that are drawn together, by the name of the picture; by default
            those of a GAN. Where the picture is called "probabilities", the axis goes from 0 to 1
            with a line at 0.5.
        every: Seconds between two drawings.
    """

    def __init__(
        self,
        table: str | Path,
        folder: str | Path,
        *,
        curves: Mapping[str, Sequence[str]] = CURVES,
        every: float = 20.0,
    ):
        super().__init__()
        self.table = Path(table)
        self.folder = Path(folder)
        self.curves = curves
        self.every = every
        self._last = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if time.monotonic() - self._last >= self.every:
            self._draw()
            self._last = time.monotonic()

    def on_train_end(self, logs: Logs = None) -> None:
        self._draw()

    def _draw(self):
        rows = read_history(self.table)
        for name, logs in self.curves.items():
            if not any(log in row for row in rows for log in logs):
                # A model without an adversary has no losses of one.
                continue
            level = 0.5 if name == "probabilities" else None
            path = self.folder / f"{name}.png"
            draw_curves(rows, logs, path, axis_name=name, level=level)
