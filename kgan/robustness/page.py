"""The frame of an HTML page, and the pieces that pages share."""

import base64
import html
import string
from collections.abc import Iterable, Sequence
from pathlib import Path

from kgan.files import atomic_path
from kgan.intervals import share_interval
from kgan.robustness.masking import Flag
from kgan.robustness.report import Report, Row

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
h1, h2, h3, p, li, .tile { overflow-wrap: anywhere; }
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
$body
</body>
</html>
""")


def write_page(path: str | Path, title: str, parts: Iterable[str]) -> None:
    """Writes a page.

    Args:
        path: The file to write.
        title: The title, not escaped.
        parts: Pieces of HTML, in order.
    """
    text = _PAGE.substitute(title=html.escape(title), body="\n".join(parts))
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def section(heading: str, content: str) -> str:
    """A heading, not escaped, and HTML below it; empty without content."""
    return f"<h2>{html.escape(heading)}</h2>{content}" if content else ""


def items(texts: Iterable[str]) -> str:
    """A list of sentences, not escaped."""
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def signs(flags: Iterable[Flag], unchecked: Iterable[str]) -> str:
    """Signs of gradient masking, and what was not looked for; not escaped."""
    parts = [
        f'<div class="flag"><b>{html.escape(flag.name)}</b>: {html.escape(flag.evidence)}.<br>'
        f"{html.escape(flag.meaning)}</div>"
        for flag in flags
    ]
    if not parts:
        parts = ["<p>None found. That is no proof that there is none.</p>"]
    if missing := "; ".join(map(html.escape, unchecked)):
        parts.append(f"<p><small>Not checked: {missing}.</small></p>")
    return "".join(parts)


def facts(values: Iterable[tuple[str, str]]) -> str:
    """Names and values, not escaped."""
    rows = (f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in values)
    return f"<dl>{''.join(rows)}</dl>"


def settings(report: Report) -> str:
    """The settings of each attack."""
    lines = [
        f"{name}: " + ", ".join(f"{key}={value}" for key, value in config.items() if key != "class")
        for name, config in report.attacks.items()
    ]
    return f"<pre>{html.escape(chr(10).join(lines))}</pre>"


def tile(what: str, figure: str, small: str) -> str:
    """A figure that is seen first."""
    return f'<div class="tile">{html.escape(what)}<b>{figure}</b><small>{small}</small></div>'


def interval(row: Row, n: int) -> str:
    """The 95% interval of a row over n images."""
    digits = 1 if n < 1000 else 2
    low, high = row.interval
    return f"{low:.{digits}%} to {high:.{digits}%}"


def of_class(share: float | None, count: int | None) -> str:
    """How many of a class stay correct, in words, with the 95% interval of the share."""
    if share is None:
        return "no images"
    if count is None:
        return f"{share:.1%}"
    hits = round(share * count)
    low, high = share_interval(hits, count)
    return f"{share:.1%} ({hits:,} of {count:,})<br><small>{low:.0%} to {high:.0%}</small>"


def table(head: Sequence[str], rows: Sequence[tuple[str, list[str | Row]]]) -> str:
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


def picture(path: Path, text: str) -> str:
    """A picture, embedded."""
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<p><img alt="{html.escape(text)}" src="data:image/png;base64,{content}"></p>'
