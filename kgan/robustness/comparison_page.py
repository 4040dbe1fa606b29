"""A hardening as a single, self-contained HTML file: before, after, and what is certified."""

import html
from pathlib import Path

from kgan.robustness.comparison import Comparison
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
)
from kgan.robustness.page import write_page as write
from kgan.robustness.report import Report, Row

_LEGEND = """<p><small>The same attacks on the same images, before and after. Accuracy: share of all
images that stay correctly classified, with the 95% Wilson interval. What attacks leave is an upper
bound of the true robust accuracy. Certified: no change within epsilon can fool, by interval bounds;
a lower bound of it, and a loose one for networks that were not trained for it.</small></p>"""


def write_comparison_page(comparison: Comparison, path: str | Path, *, curves: Path) -> None:
    """Writes the page, with its picture embedded.

    Args:
        comparison: What to show.
        path: The file to write.
        curves: The picture of the comparison, a PNG.
    """
    after = comparison.reports["after"]
    title = f"Hardening of {after.model}"
    stopped = " The guard stopped it: robustness was falling, and the best weights are kept."
    lead = (
        f"{comparison.method}, {after.norm} {comparison.epsilon:.4g}, "
        f"{comparison.seconds:,.0f} s of training.{stopped if comparison.stopped else ''}"
    )
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="lead">{html.escape(lead)}</p>',
        f'<div class="tiles">{_tiles(comparison)}</div>',
        section("Next", items(_advice(comparison))),
        section("Before and after", f'<div class="scroll">{_rows(comparison)}</div>{_LEGEND}'),
        picture(curves, "robust accuracy against epsilon, before and after"),
        *(
            section(f"Signs of gradient masking {when}", signs(report.flags, report.unchecked))
            for when, report in reversed(comparison.reports.items())
        ),
        section("Classes", f'<div class="scroll">{_classes(comparison)}</div>'),
        section("Assumptions", items(after.assumptions)),
        section(
            "Where the figures come from", facts((comparison.provenance | after.versions).items())
        ),
        section(
            "Settings", settings(after) + "".join(map(settings, comparison.autoattacks.values()))
        ),
    ]
    write(path, title, parts)


def _tiles(comparison: Comparison) -> str:
    before, after = comparison.rows("before"), comparison.rows("after")
    return "".join(
        tile(
            name if name == "clean" else f"{name} at {comparison.epsilon:.4g}",
            f"{_share(before.get(name))} → {_share(after.get(name))}",
            f"{interval(row, n)} after",
        )
        for name, (row, n) in after.items()
    )


def _rows(comparison: Comparison) -> str:
    """A row for each attack at each radius, and for what is certified there."""
    head = ["", "epsilon", "images", "before", "95% interval", "after", "95% interval"]
    rows: list[tuple[str, list[str | Row]]] = []
    for reports in (comparison.reports, comparison.autoattacks):
        if not reports:
            continue
        before, after = reports["before"], reports["after"]
        clean = [] if reports is comparison.autoattacks else [after.clean]
        for row in (*clean, *after.rows, *after.certified):
            other = _same(before, row)
            style = "strong" if row.epsilon == comparison.epsilon or row is after.clean else ""
            rows.append(
                (
                    style,
                    [
                        html.escape(row.attack),
                        "" if row is after.clean else f"{row.epsilon:.4g}",
                        f"{after.n:,}",
                        other or "",
                        "" if other is None else interval(other, before.n),
                        row,
                        interval(row, after.n),
                    ],
                )
            )
    text = comparison.uncertified
    note = "" if text is None else f"<p><small>Not certified: {html.escape(text)}</small></p>"
    return table(head, rows) + note


def _same(report: Report, row: Row) -> Row | None:
    """The row of the same name and radius in another report."""
    rows = [report.clean, *report.rows, *report.certified]
    return next((one for one in rows if str(one) == str(row)), None)


def _classes(comparison: Comparison) -> str:
    """The accuracy of each class, clean and under the strongest attack on all images."""
    before, after = comparison.reports["before"], comparison.reports["after"]
    worst = [
        next(row for row in report.worst_case if row.epsilon == comparison.epsilon)
        for report in (before, after)
    ]
    head = ["class", "images", "clean before", "clean after"]
    head += [f"at {comparison.epsilon:.4g} {when}" for when in ("before", "after")]
    rows: list[tuple[str, list[str | Row]]] = []
    for index, name in enumerate(after.class_names):
        count = after.class_counts[index]
        shown = (before.clean, after.clean, *worst)
        cells = [of_class(row.per_class[index], count) for row in shown]
        rows.append(("", [html.escape(name), f"{count:,}", *cells]))
    return table(head, rows)


def _advice(comparison: Comparison) -> list[str]:
    found = [comparison.hint] if comparison.hint else []
    if flags := comparison.reports["after"].flags:
        names = ", ".join(flag.name for flag in flags)
        found.append(
            f"Do not quote the figures after hardening yet: {names}. Each flag says how to attack "
            "around it."
        )
    if not comparison.autoattacks:
        found.append("Run AutoAttack before quoting a robust accuracy: --autoattack-n 200.")
    before, after = (comparison.reports[when].clean for when in ("before", "after"))
    lost = before.robust_accuracy - after.robust_accuracy
    if lost > 0.02:
        found.append(f"Hardening cost {lost:.1%} of clean accuracy; a smaller epsilon costs less.")
    how = comparison.provenance.get("to attack", "kgan attack --model FILE --data DATA")
    found.append(f"Attack the hardened classifier in other ways: {how}")
    return found


def _share(found: tuple[Row, int] | None) -> str:
    return "?" if found is None else f"{found[0].robust_accuracy:.1%}"
