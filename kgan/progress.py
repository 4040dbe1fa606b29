"""Progress: a live bar on a terminal or in a notebook, and now and then a line elsewhere."""

import importlib.util
import threading
import time

import rich.progress
from rich.console import Console

_SECONDS_BETWEEN_LINES = 10.0
# How often the clock is looked at where the work says nothing.
_TICK = 1.0


class Progress:
    """Shows what is being done and how much of it is done.

    Where there is neither a terminal nor a notebook with ipywidgets, a line says so now and then,
    once the total is known: also while the work itself reports nothing.

    Args:
        total: How much there is to do; `None` where that is not known, or not yet.
        done: How much of it was done before.
        counts: Whether to show "120/400" in place of a percentage.
        stays: Whether the bar stays when it ends; by default it vanishes.
        lines: Whether lines take the bar's place where there is no terminal.
        seconds: Longest time between two lines.
        stderr: Whether to write to the standard error in place of the standard output.
    """

    def __init__(
        self,
        total: int | None = None,
        *,
        done: int = 0,
        counts: bool = False,
        stays: bool = False,
        lines: bool = True,
        seconds: float = _SECONDS_BETWEEN_LINES,
        stderr: bool = False,
    ):
        self.console = Console(stderr=stderr)
        self.lines = lines
        self.seconds = seconds
        self.counts = counts
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._teller: threading.Thread | None = None
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=24),
            rich.progress.MofNCompleteColumn() if counts else rich.progress.TaskProgressColumn(),
            rich.progress.TimeRemainingColumn(),
            rich.progress.TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=not stays,
        )
        self._task = self._bar.add_task("", total=total, completed=done, note="")
        self._last_line = time.monotonic()

    @property
    def is_live(self) -> bool:
        """Whether there is a terminal or a notebook to show a bar in."""
        if self.console.is_jupyter:
            return importlib.util.find_spec("ipywidgets") is not None
        return self.console.is_terminal

    def update(
        self,
        done: int | None = None,
        total: int | None = None,
        what: str | None = None,
        note: str | None = None,
    ) -> None:
        """Shows new values; what is `None` stays as it was.

        Args:
            done: How much is done.
            total: How much there is to do.
            what: What is being done now.
            note: What to say behind the bar, such as a speed.
        """
        changes = {"completed": done, "total": total, "description": what, "note": note}
        changes = {name: value for name, value in changes.items() if value is not None}
        self._bar.update(self._task, **changes)  # type: ignore[arg-type]
        self._line_if_due()

    def _line_if_due(self) -> None:
        with self._lock:
            due = time.monotonic() - self._last_line > self.seconds
            if due and self.lines and not self.is_live and self._bar.tasks[0].total:
                self.print(self._line())

    def _line(self) -> str:
        task = self._bar.tasks[0]
        line = f"{task.completed / (task.total or 1):4.0%}  {task.description}"
        if not self.counts:
            return line
        left = task.time_remaining
        told = [
            f"{task.completed:,.0f} of {task.total or 0:,.0f}",
            task.fields["note"],
            "" if left is None else f"{_duration(left)} left",
        ]
        return "  ".join([line, *filter(None, told)])

    @property
    def reached(self) -> str:
        """How far the work came, such as "37%", or "nothing"."""
        task = self._bar.tasks[0]
        return f"{task.completed / task.total:.0%}" if task.completed and task.total else "nothing"

    def print(self, line: str) -> None:
        """Prints a line, above the bar where there is one."""
        with self._lock:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
            # A log file shall grow with the run, not when it ends.
            self.console.file.flush()
            self._last_line = time.monotonic()

    def start(self) -> None:
        if self.is_live:
            self._bar.start()
        elif self.lines:
            self._ended.clear()
            self._teller = threading.Thread(target=self._tell, daemon=True)
            self._teller.start()

    def _tell(self) -> None:
        while not self._ended.wait(_TICK):
            self._line_if_due()

    def stop(self) -> None:
        if self.is_live:
            self._bar.stop()
        self._ended.set()
        if self._teller is not None:
            self._teller.join()
            self._teller = None

    def __enter__(self) -> "Progress":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def _duration(seconds: float) -> str:
    """A time in the unit that a reader would choose."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
