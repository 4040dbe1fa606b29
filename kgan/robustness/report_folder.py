"""Writes a report as files: JSON, pictures, and an HTML page that contains them."""

import re
from pathlib import Path

from kgan.robustness.html_report import write_html
from kgan.robustness.report import Report
from kgan.robustness.report_pictures import draw_curves, draw_examples


def write_report(report: Report, folder: Path) -> None:
    """Writes `report.json`, `curves.png`, `examples-NAME.png` and `report.html` into the folder."""
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
    write_html(report, folder / "report.html", curves=curves, examples=pictures)
