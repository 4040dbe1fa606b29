"""What happened in each epoch, as a table and as curves."""

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from kgan.counter import steps_done
from kgan.files import atomic_path

_FIRST = ("epoch", "step", "seconds", "samples_per_second")


def read_history(path: str | Path) -> list[dict[str, float]]:
    """The rows of a `metrics.csv`; empty where there is none."""
    path = Path(path)
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        return [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


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

    def on_epoch_begin(self, epoch, logs=None):
        self._rows = [row for row in read_history(self.path) if row["epoch"] <= epoch]
        self._begin = time.perf_counter()
        self._first_step = steps_done(self.model)

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self._begin
        step = steps_done(self.model)
        speed = (step - self._first_step) * self.samples_per_step / seconds
        row = {"epoch": epoch + 1, "step": step, "seconds": round(seconds, 2)}
        row |= {"samples_per_second": round(speed, 1)}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append(row)
        names = list(dict.fromkeys([*_FIRST, *(name for row in self._rows for name in row)]))
        with atomic_path(self.path) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self._rows)


class HistoryPlot(keras.callbacks.Callback):
    """Draws logs of a `metrics.csv` as curves, at the latest when training ends.

    Args:
        table: The CSV file.
        folder: Where to write.
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

    def on_epoch_end(self, epoch, logs=None):
        if time.monotonic() - self._last >= self.every:
            self._draw()
            self._last = time.monotonic()

    def on_train_end(self, logs=None):
        self._draw()

    def _draw(self):
        rows = read_history(self.table)
        for name, logs in self.curves.items() if rows else ():
            level = 0.5 if name == "probabilities" else None
            _curves(rows, logs, name, self.folder / f"{name}.png", level=level)


def _curves(rows, names, axis_name: str, path: Path, *, level: float | None = None) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name in names:
        points = [(row["step"], row[name]) for row in rows if name in row]
        if points:
            axes.plot(*zip(*points, strict=True), label=name)
    if level is not None:
        axes.axhline(level, color="0.6", linestyle="--", label="equilibrium")
        axes.set_ylim(0, 1)
    axes.set_xlabel("step")
    axes.set_ylabel(axis_name)
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
