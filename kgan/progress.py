"""Progress: a live bar on a terminal, and now and then a line where there is none."""

import time

import rich.progress
from rich.console import Console

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows what is being done and how much of it is done.

    Where there is no terminal, a line says so every ten seconds, once the total is known.

    Args:
        total: How much there is to do; `None` where that is not known, or not yet.
        done: How much of it was done before.
        counts: Whether to show "120/400" in place of a percentage.
        stays: Whether the bar stays when it ends; by default it vanishes.
        lines: Whether lines take the bar's place where there is no terminal.
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
        stderr: bool = False,
    ):
        self.console = Console(stderr=stderr)
        self.lines = lines
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
        """Whether there is a terminal to show a bar on."""
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
        since = time.monotonic() - self._last_line
        if self.lines and not self.is_live and since > _SECONDS_BETWEEN_LINES:
            task = self._bar.tasks[0]
            if task.total:
                self.print(f"{task.completed / task.total:4.0%}  {task.description}")
                self._last_line = time.monotonic()

    def print(self, line: str) -> None:
        """Prints a line, above the bar where there is one."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
        # A log file shall grow with the run, not when it ends.
        self.console.file.flush()

    def start(self) -> None:
        if self.is_live:
            self._bar.start()

    def stop(self) -> None:
        if self.is_live:
            self._bar.stop()

    def __enter__(self) -> "Progress":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()
