"""Writes a report as files: JSON, Markdown, pictures, and an HTML page that contains them."""

import re
from pathlib import Path

from kgan.robustness.html_report import write_html
from kgan.robustness.markdown import write_markdown
from kgan.robustness.report import Report
from kgan.robustness.report_pictures import draw_curves, draw_examples


def write_report(report: Report, folder: Path) -> None:
    """Writes a report as JSON, a page, a Markdown summary and pictures.

    They are `report.json`, `report.html`, `summary.md`, `curves.png` and `examples-NAME.png`.

    Args:
        report: The report.
        folder: The folder to write into.
    """
    report.save(folder / "report.json")
    write_markdown(report, folder / "summary.md")
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
    write_html(report, folder / "report.html", curves=curves, examples=pictures)
