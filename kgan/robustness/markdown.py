"""A report as a short Markdown text, for a pull request or a wiki."""

from pathlib import Path

from kgan.files import atomic_path
from kgan.robustness.advice import advice
from kgan.robustness.corruption_report import CorruptionReport, corruption_errors
from kgan.robustness.corruptions import SEVERITIES
from kgan.robustness.report import Report, Row


def markdown(report: Report) -> str:
    """The verdict, a table of all rows, what makes it doubtful, and what to do next."""
    ball = "" if report.norm is None else f", {report.norm} ball"
    lines = [f"### Robustness of {_plain(report.model)}", ""]
    if report.verdict is not None:
        lines += [f"**{_plain(report.told_verdict)}**", ""]
    lines += [
        f"{report.n:,} images{ball}.",
        "",
        "| attack | epsilon | robust accuracy | 95% interval |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [_line(row) for row in _rows(report)]
    if report.corruptions is not None:
        lines += ["", *corruption_lines(report.corruptions)]
    if report.flags:
        lines += ["", "Signs of gradient masking, so that these figures are not to be trusted:", ""]
        lines += [f"- {_plain(f'{flag.name}: {flag.evidence}')}" for flag in report.flags]
    if report.unchecked:
        missing = "; ".join(report.unchecked)
        lines += ["", f"Not checked for gradient masking: {_plain(missing)}."]
    if warned := [text for text in report.assumptions if text.startswith("WARNING")]:
        lines += ["", *(f"- {_plain(text)}" for text in warned)]
    lines += ["", "Next:", "", *(f"- {_plain(text)}" for text in advice(report))]
    facts = (report.provenance | report.versions).items()
    lines += ["", _plain("; ".join(f"{name} {value}" for name, value in facts)), ""]
    return "\n".join(lines)


def _rows(report: Report) -> list[Row]:
    return [report.clean, *report.rows, *report.worst_case, *report.certified]


def corruption_lines(report: CorruptionReport) -> list[str]:
    """A table of the accuracy under each corruption at each severity."""
    heads = [str(severity) for severity in SEVERITIES]
    lines = [
        f"Common corruptions: {report.mean_accuracy:.1%} on average"
        f"{_plain(corruption_errors(report))}.",
        "",
        "| corruption | " + " | ".join(heads) + " |",
        "| --- |" + " ---: |" * len(heads),
    ]
    for name in report.names:
        cells = " | ".join(f"{row.accuracy:.1%}" for row in report.of(name))
        lines.append(f"| {name.replace('_', ' ')} | {cells} |")
    return lines


def write_markdown(report: Report, path: str | Path) -> None:
    """Writes the text of `markdown` into a file."""
    with atomic_path(path) as temporary:
        temporary.write_text(markdown(report), encoding="utf-8")


def _line(row: Row) -> str:
    low, high = row.interval
    radius = "any" if row.epsilon is None else f"{row.epsilon:.4g}"
    if row.attack == "clean":
        radius = ""
    return (
        f"| {_plain(row.attack)} | {radius} | {row.robust_accuracy:.1%} | {low:.1%} to {high:.1%} |"
    )


def _plain(text: str) -> str:
    """The text in one line, without what Markdown or HTML would take for markup."""
    text = " ".join(text.split())
    for sign in "\\`*_[]<>|&#~$":
        text = text.replace(sign, "\\" + sign)
    # GitHub would call whoever has that name, and an empty comment parts the sign from it.
    return text.replace("@", "@<!-- -->")
