"""Writes a report as a single, self-contained HTML file."""

import html
from collections.abc import Iterable, Mapping
from pathlib import Path

from kgan.robustness.advice import advice
from kgan.robustness.corruption_report import CorruptionReport, corruption_errors
from kgan.robustness.corruptions import SEVERITIES
from kgan.robustness.page import (
    facts,
    interval,
    items,
    of_class,
    picture,
    section,
    settings,
    signs,
    table,
    tile,
    write_page,
)
from kgan.robustness.report import CHANGE_NORMS, Report, Row

_LEGEND = """<p><small>Robust accuracy: share of all images that stay correctly classified, with the
95% Wilson interval. Success: of the images that were correct. Changes: mean / median over the
images that the attack fooled. Worst case: fooled by any attack at that epsilon or a smaller one;
what is left is an upper bound of the true robust accuracy. Certified: no change within epsilon can
fool, by interval bounds; a lower bound of it. Seconds include compilation; an attack that looks for
the smallest change runs once for all its rows.</small></p>"""


def write_html(
    report: Report, path: str | Path, *, curves: Path | None, examples: Mapping[str, Path]
) -> None:
    """Writes the page, with its pictures embedded.

    Args:
        report: What to show.
        path: The file to write.
        curves: The PNG of the curves, if there are any.
        examples: A PNG for each heading.
    """
    shown = "".join(
        f"<h3>{html.escape(heading)}</h3>{picture(file, heading)}"
        for heading, file in examples.items()
    )
    title = f"Robustness of {report.model}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="lead">{_lead(report)}</p>',
        _verdict(report),
        f'<div class="tiles">{"".join(_tiles(report))}</div>',
        section("Next", items(advice(report))),
        section("Signs of gradient masking", signs(report.flags, report.unchecked)),
        section("Attacks", f'<div class="scroll">{_attacks(report)}</div>{_LEGEND}'),
        _details(report),
        picture(curves, "robust accuracy against epsilon") if curves else "",
        section("Common corruptions", _corruptions(report.corruptions)),
        section("Examples", shown or "<p>There is none to show.</p>"),
        section("Classes", _classes(report)),
        section("Assumptions", items(report.assumptions)),
        section(
            "Where the figures come from", facts((report.provenance | report.versions).items())
        ),
        section("Settings", settings(report)),
    ]
    write_page(path, title, parts)


def _lead(report: Report) -> str:
    ball = "" if report.norm is None else f", {report.norm} ball"
    classes = f", {len(report.class_names)} classes" if report.class_names else ""
    return f"{report.n:,} images{classes}{ball}"


def _verdict(report: Report) -> str:
    if report.verdict is None:
        return ""
    style = "passed" if report.verdict.passed else "failed"
    return f'<p class="{style}"><b>{html.escape(report.told_verdict)}.</b></p>'


def _tiles(report: Report) -> Iterable[str]:
    for row in (report.clean, *report.worst_case, *report.certified):
        what = "clean" if row is report.clean else str(row)
        yield tile(what, f"{row.robust_accuracy:.1%}", interval(row, report.n))


def _attacks(report: Report) -> str:
    head = ["attack", "epsilon", "robust accuracy", "95% interval", "success"]
    head += [f"{norm} of change" for norm in CHANGE_NORMS] + ["seconds"]
    rows: list[tuple[str, list[str | Row]]] = []
    for row in (report.clean, *report.rows, *report.worst_case, *report.certified):
        of_attack = row in report.rows
        cells: list[str | Row] = [
            html.escape(row.attack),
            "any" if row.epsilon is None else f"{row.epsilon:.4g}",
            row,
            interval(row, report.n),
            "" if row.success_rate is None or row is report.clean else f"{row.success_rate:.1%}",
        ]
        for norm in CHANGE_NORMS:
            change = row.changes.get(norm)
            cells.append("" if change is None else f"{change.mean:.3g} / {change.median:.3g}")
        cells.append(f"{row.seconds:.1f}" if of_attack else "")
        rows.append(("" if of_attack else "strong", cells))
    return table(head, rows)


def _details(report: Report) -> str:
    items = "".join(
        f"<li>{html.escape(str(row))}: {_shares(row.details)}</li>"
        for row in report.rows
        if row.details
    )
    return f"<p>Further shares of all images:</p><ul>{items}</ul>" if items else ""


def _corruptions(report: CorruptionReport | None) -> str:
    """The accuracy under each corruption at each severity, and the mean corruption error."""
    if report is None:
        return ""
    rows: list[tuple[str, list[str | Row]]] = []
    for name in report.names:
        cells = [f"{row.accuracy:.1%}" for row in report.of(name)]
        error = report.corruption_error(name)
        cells += ["" if error is None else f"{error:.1%}"]
        rows.append(("", [name.replace("_", " "), *cells]))
    head = ["corruption", *(f"severity {severity}" for severity in SEVERITIES)]
    head += ["error / baseline's"]
    return (
        f"<p>{report.mean_accuracy:.1%} on average"
        f"{html.escape(corruption_errors(report))}. Computed by kgan from the published "
        "description; the ice of frost is made, not photographed. Corruptions are no attacks: they "
        'enter neither the worst case nor the verdict.</p><div class="scroll">'
        f"{table(head, rows)}</div>"
    )


def _shares(details: dict[str, float]) -> str:
    return ", ".join(f"{html.escape(name)} {share:.1%}" for name, share in details.items())


def _classes(report: Report) -> str:
    if not report.class_names:
        return ""
    shown = [report.clean, *(report.worst_case or report.rows)]
    head = ["class", "images"]
    head += ["clean" if row is report.clean else str(row) for row in shown]
    rows: list[tuple[str, list[str | Row]]] = []
    for index, name in enumerate(report.class_names):
        count = report.class_counts[index] if report.class_counts else None
        cells: list[str | Row] = [html.escape(name), "" if count is None else f"{count:,}"]
        rows.append(("", cells + [of_class(row.per_class[index], count) for row in shown]))
    return f'<div class="scroll">{table(head, rows)}</div>'
