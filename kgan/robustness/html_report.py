"""Writes a report as a single, self-contained HTML file."""

import base64
import html
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kgan.files import atomic_path
from kgan.intervals import share_interval
from kgan.robustness.advice import advice
from kgan.robustness.corruption_report import CorruptionReport, corruption_errors
from kgan.robustness.corruptions import SEVERITIES
from kgan.robustness.report import CHANGE_NORMS, Report, Row

_PAGE = string.Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881;
  --quiet: light-dark(#595959, #b3b3b3); --red: light-dark(#b71c1c, #ff8a80);
  --green: light-dark(#1b5e20, #a5d6a7); --bar: #2e7d3260; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
.lead { color: var(--quiet); margin-top: 0; }
.tiles { display: flex; gap: 1rem; flex-wrap: wrap; }
.tile { background: var(--soft); border-radius: .5rem; padding: .7rem 1.1rem; }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; }
tr.strong td { font-weight: 600; }
td.share { background: linear-gradient(to right, var(--bar) var(--width), transparent 0); }
small { color: var(--quiet); font-weight: 400; }
.flag { border-left: .3rem solid var(--red); background: var(--soft); padding: .5rem 1rem;
  margin: .8rem 0; }
.flag b, .failed { color: var(--red); }
.passed { color: var(--green); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
img { max-width: 100%; background: white; border-radius: .3rem; }
pre { white-space: pre-wrap; background: var(--soft); padding: .6rem; border-radius: .3rem; }
</style>
</head>
<body>
<h1>Robustness of $model</h1>
<p class="lead">$lead</p>
$verdict
<div class="tiles">$tiles</div>
<h2>Next</h2>
<ul>$advice</ul>
<h2>Signs of gradient masking</h2>
$flags
<h2>Attacks</h2>
<div class="scroll">$attacks</div>
<p><small>Robust accuracy: share of all images that stay correctly classified, with the 95% Wilson
interval. Success: of the images that were correct. Changes: mean / median over the images that the
attack fooled. Worst case: fooled by any attack at that epsilon or a smaller one; what is left is an
upper bound of the true robust accuracy. Certified: no change within epsilon can fool, by interval
bounds; a lower bound of it. Seconds include compilation; an attack that looks for the smallest
change runs once for all its rows.</small></p>
$details
$curves
$corruptions
<h2>Examples</h2>
$examples
<h2>Classes</h2>
<div class="scroll">$classes</div>
<h2>Assumptions</h2>
<ul>$assumptions</ul>
<h2>Where the figures come from</h2>
<dl>$provenance</dl>
<h2>Settings</h2>
<pre>$settings</pre>
</body>
</html>
""")


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
    settings = [
        f"{name}: " + ", ".join(f"{key}={value}" for key, value in config.items() if key != "class")
        for name, config in report.attacks.items()
    ]
    text = _PAGE.substitute(
        title=html.escape(f"Robustness of {report.model}"),
        model=html.escape(report.model),
        lead=_lead(report),
        verdict=_verdict(report),
        advice="".join(f"<li>{html.escape(text)}</li>" for text in advice(report)),
        provenance="".join(
            f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>"
            for name, value in (report.provenance | report.versions).items()
        ),
        tiles="".join(_tiles(report)),
        flags=_flags(report),
        attacks=_attacks(report),
        details=_details(report),
        corruptions=_corruptions(report.corruptions),
        curves=_picture(curves, "robust accuracy against epsilon") if curves else "",
        examples="".join(
            f"<h3>{html.escape(heading)}</h3>{_picture(picture, heading)}"
            for heading, picture in examples.items()
        )
        or "<p>There is none to show.</p>",
        classes=_classes(report),
        assumptions="".join(f"<li>{html.escape(text)}</li>" for text in report.assumptions),
        settings=html.escape("\n".join(settings)),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _lead(report: Report) -> str:
    ball = "" if report.norm is None else f", {report.norm} ball"
    return f"{report.n:,} images, {len(report.class_names)} classes{ball}"


def _verdict(report: Report) -> str:
    if report.verdict is None:
        return ""
    style = "passed" if report.verdict.passed else "failed"
    return f'<p class="{style}"><b>{html.escape(str(report.verdict))}.</b></p>'


def _tiles(report: Report) -> Iterable[str]:
    for row in (report.clean, *report.worst_case, *report.certified):
        what = "clean" if row is report.clean else str(row)
        yield f'<div class="tile">{what}<b>{row.robust_accuracy:.1%}</b>'
        yield f"<small>{_interval(row, report.n)}</small></div>"


def _interval(row: Row, n: int) -> str:
    digits = 1 if n < 1000 else 2
    low, high = row.interval
    return f"{low:.{digits}%} to {high:.{digits}%}"


def _flags(report: Report) -> str:
    parts = [
        f'<div class="flag"><b>{html.escape(flag.name)}</b>: {html.escape(flag.evidence)}.<br>'
        f"{html.escape(flag.meaning)}</div>"
        for flag in report.flags
    ]
    if not parts:
        parts = ["<p>None found. That is no proof that there is none.</p>"]
    if report.unchecked:
        missing = "; ".join(map(html.escape, report.unchecked))
        parts.append(f"<p><small>Not checked: {missing}.</small></p>")
    return "".join(parts)


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
            _interval(row, report.n),
            "" if row.success_rate is None or row is report.clean else f"{row.success_rate:.1%}",
        ]
        for norm in CHANGE_NORMS:
            change = row.changes.get(norm)
            cells.append("" if change is None else f"{change.mean:.3g} / {change.median:.3g}")
        cells.append(f"{row.seconds:.1f}" if of_attack else "")
        rows.append(("" if of_attack else "strong", cells))
    return _table(head, rows)


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
        f"<h2>Common corruptions</h2><p>{report.mean_accuracy:.1%} on average"
        f"{html.escape(corruption_errors(report))}. Computed by kgan from the published "
        "description; the ice of frost is made, not photographed. Corruptions are no attacks: they "
        'enter neither the worst case nor the verdict.</p><div class="scroll">'
        f"{_table(head, rows)}</div>"
    )


def _shares(details: dict[str, float]) -> str:
    return ", ".join(f"{html.escape(name)} {share:.1%}" for name, share in details.items())


def _classes(report: Report) -> str:
    shown = [report.clean, *(report.worst_case or report.rows)]
    head = ["class", "images"]
    head += ["clean" if row is report.clean else str(row) for row in shown]
    rows: list[tuple[str, list[str | Row]]] = []
    for index, name in enumerate(report.class_names):
        count = report.class_counts[index] if report.class_counts else None
        cells: list[str | Row] = [html.escape(name), "" if count is None else f"{count:,}"]
        rows.append(("", cells + [_of_class(row.per_class[index], count) for row in shown]))
    return _table(head, rows)


def _of_class(share: float | None, count: int | None) -> str:
    """How many of a class stay correct, in words, with the 95% interval of the share."""
    if share is None:
        return "no images"
    if count is None:
        return f"{share:.1%}"
    hits = round(share * count)
    low, high = share_interval(hits, count)
    return f"{share:.1%} ({hits:,} of {count:,})<br><small>{low:.0%} to {high:.0%}</small>"


def _table(head: Sequence[str], rows: Sequence[tuple[str, list[str | Row]]]) -> str:
    """An HTML table; a cell with a `Row` shows its robust accuracy over a bar."""
    lines = ["<table><thead><tr>", *(f"<th>{html.escape(name)}</th>" for name in head)]
    lines.append("</tr></thead><tbody>")
    for style, cells in rows:
        lines.append(f'<tr class="{style}">' if style else "<tr>")
        for cell in cells:
            if isinstance(cell, Row):
                share = cell.robust_accuracy
                lines.append(f'<td class="share" style="--width:{share:.1%}">{share:.1%}</td>')
            else:
                lines.append(f"<td>{cell}</td>")
        lines.append("</tr>")
    return "".join([*lines, "</tbody></table>"])


def _picture(path: Path, text: str) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<p><img alt="{html.escape(text)}" src="data:image/png;base64,{content}"></p>'
