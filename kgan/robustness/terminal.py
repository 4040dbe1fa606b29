"""A report on the terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kgan.names import printable
from kgan.robustness.advice import advice
from kgan.robustness.report import CHANGE_NORMS, Report, Row

# Width of the terminal, in characters, that the whole table needs.
_WIDE = 150


def print_report(report: Report, folder: Path) -> None:
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
            console.print(Text(f"{row}: {shares}"))
    if report.corruptions is not None:
        console.print(Text(str(report.corruptions)))
    for flag in report.flags:
        console.print(Text(f"gradient masking? {flag.name}: {flag.evidence}.", style="bold red"))
        console.print(Text(f"  {flag.meaning}"))
    for text in report.unchecked:
        console.print(Text(f"not checked for gradient masking: {text}", style="dim"))
    console.print(Text("assumed: " + "; ".join(report.assumptions) + "."))
    for text in advice(report):
        # A command in it must not be broken into lines.
        console.print(Text(f"next: {text}"), soft_wrap=True)
    if report.verdict is not None:
        style = "bold green" if report.verdict.passed else "bold red"
        console.print(Text(f"{report.told_verdict}.", style=style))
    console.print(
        Text(
            "changes: mean / median over the images fooled. "
            + printable(f"Report: {folder}/report.html")
        )
    )


def _table(report: Report, *, accuracy: bool = False, changes: bool = False) -> Table:
    """The rows with one half of the columns or both."""
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
    for row in (*report.worst_case, *report.certified) if accuracy else ():
        table.add_row(row.attack, f"{row.epsilon:.4g}", *_shares(row, report.n), style="bold")
    return table


def _shares(row: Row, n: int) -> tuple[str, str, str]:
    digits = 1 if n < 1000 else 2
    low, high = (f"{end:.{digits}%}" for end in row.interval)
    success = "" if row.success_rate is None else f"{row.success_rate:.1%}"
    return f"{row.robust_accuracy:.1%}", f"{low} - {high}", success
