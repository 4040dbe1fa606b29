"""What `kgan attack` shows while it runs and leaves behind."""

import re
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from kgan.attacks.drawing import draw_curves, draw_examples
from kgan.attacks.page import write_page
from kgan.attacks.report import CHANGE_NORMS, Report, Row

_SECONDS_BETWEEN_LINES = 10.0
# Columns of the terminal that the whole table needs.
_WIDE = 150


class Progress:
    """A live bar, or a line every few seconds where there is no terminal.

    Args:
        resume: The command that continues an interrupted run.
    """

    def __init__(self, resume: str):
        self.resume = resume
        self.console = Console()
        self._bar = Bar(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self._task = self._bar.add_task("")
        self._last = time.monotonic()

    def __call__(self, done: int, total: int | None, what: str) -> None:
        if self.console.is_terminal:
            self._bar.update(self._task, completed=done, total=total, description=what)
        elif total and time.monotonic() - self._last > _SECONDS_BETWEEN_LINES:
            print(f"{done / total:4.0%}  {what}", flush=True)
            self._last = time.monotonic()

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, kind, *_) -> None:
        if self.console.is_terminal:
            self._bar.stop()
        if kind is KeyboardInterrupt:
            print(f"\nwhat is done is kept; continue with {self.resume}", file=sys.stderr)


def write(report: Report, folder: Path) -> None:
    """Writes the report and its pictures into the run folder."""
    report.save(folder / "report.json")
    curves = folder / "curves.png" if report.curves else None
    if curves is not None:
        draw_curves(report, curves)
    pictures = {}
    shown = report.examples
    if shown is not None and len(shown.images):
        for name, epsilon in shown.epsilon.items():
            path = folder / f"examples-{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png"
            draw_examples(shown, name, path, class_names=report.class_names)
            pictures[name if epsilon is None else f"{name} at {epsilon:.4g}"] = path
    write_page(report, folder / "report.html", curves=curves, examples=pictures)


def tell(report: Report, folder: Path) -> None:
    """Prints the table, the flags, the assumptions, and where the files are."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=_WIDE)
    if console.width >= _WIDE:
        console.print(_table(report, accuracy=True, changes=True))
    else:
        console.print(_table(report, accuracy=True))
        console.print(_table(report, changes=True))
    for row in report.rows:
        if row.details:
            shares = ", ".join(f"{name} {share:.1%}" for name, share in row.details.items())
            radius = "" if row.epsilon is None else f" at {row.epsilon:.4g}"
            console.print(Text(f"{row.attack}{radius}: {shares}"))
    for flag in report.flags:
        console.print(Text(f"gradient masking? {flag.name}: {flag.evidence}.", style="bold red"))
        console.print(Text(f"  {flag.meaning}"))
    for text in report.unchecked:
        console.print(Text(f"not checked for gradient masking: {text}", style="dim"))
    console.print(Text("assumed: " + "; ".join(report.assumptions) + "."))
    console.print(
        Text(f"changes: mean / median over the images fooled. Report: {folder}/report.html")
    )


def _table(report: Report, *, accuracy: bool = False, changes: bool = False) -> Table:
    """The rows with either half of the columns, or both."""
    names = ["robust accuracy", "95% interval", "success", "seconds"] if accuracy else []
    names += [f"{norm} change" for norm in CHANGE_NORMS] if changes else []
    table = Table(title=f"{report.model}, {report.n:,} images, {report.norm or 'no'} ball")
    table.add_column("attack")
    for name in ("epsilon", *names):
        table.add_column(name, justify="right", no_wrap=True)
    if accuracy:
        table.add_row("clean", "", *_shares(report.clean, report.n)[:2], end_section=True)
    for index, row in enumerate(report.rows):
        last = index + 1 == len(report.rows) or report.rows[index + 1].attack != row.attack
        cells = [*_shares(row, report.n), f"{row.seconds:.1f}"] if accuracy else []
        if changes:
            sizes = [row.changes.get(norm) for norm in CHANGE_NORMS]
            cells += ["" if c is None else f"{c.mean:.3g} / {c.median:.3g}" for c in sizes]
        radius = "any" if row.epsilon is None else f"{row.epsilon:.4g}"
        table.add_row(row.attack, radius, *cells, end_section=last)
    for row in report.worst_case if accuracy else ():
        table.add_row(row.attack, f"{row.epsilon:.4g}", *_shares(row, report.n), style="bold")
    return table


def _shares(row: Row, n: int) -> tuple[str, str, str]:
    digits = 1 if n < 1000 else 2
    low, high = (f"{end:.{digits}%}" for end in row.interval)
    success = "" if row.success_rate is None else f"{row.success_rate:.1%}"
    return f"{row.robust_accuracy:.1%}", f"{low} - {high}", success
