"""What happened in each epoch, as a table and as curves."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from kgan.counter import steps_done
from kgan.history import Logs, read_history, write_history
from kgan.pictures.curves import draw_curves


class HistoryTable(keras.callbacks.Callback):
    """Writes one row of logs for each epoch to a CSV file, with step, seconds and speed.

    Rows of epochs from the first trained one on are dropped, so a resumed run continues the table.
    The whole table is rewritten under a temporary name and renamed.

    Args:
        path: The file.
        samples_per_step: Real samples in a step, for the speed.
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
    """Draws logs of a `metrics.csv` as curves, at the latest when training ends.

    Args:
        table: The CSV file.
        folder: The folder to write to.
        curves: Names of the logs that are drawn together, by the name of the picture. Where the
            picture is called "probabilities", the axis goes from 0 to 1 with a line at 0.5.
        every: Seconds between two drawings.
    """

    def __init__(
        self,
        table: str | Path,
        folder: str | Path,
        *,
        curves: Mapping[str, Sequence[str]],
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
        for name, logs in self.curves.items() if rows else ():
            level = 0.5 if name == "probabilities" else None
            path = self.folder / f"{name}.png"
            draw_curves(rows, logs, path, axis_name=name, level=level)
