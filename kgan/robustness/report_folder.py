"""Writes a report as files: JSON, pictures, and an HTML page that contains them."""

import re
from pathlib import Path

from kgan.pictures.grid import as_picture
from kgan.pictures.image_files import save_image
from kgan.pixels import to_uint8
from kgan.robustness.html_report import write_html
from kgan.robustness.report import ExampleImages, Report
from kgan.robustness.report_pictures import draw_curves, draw_examples


def write_report(report: Report, folder: Path) -> None:
    """Writes a report into the folder.

    The files are `report.json`, `curves.png`, `report.html`, and for each attack a picture
    `examples-NAME.png` and its single images, `examples-NAME/NUMBER-label-L-said-P.png`, where P is
    the class that the model gives to what the file holds.
    """
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
            _save_images(shown, name, path.with_suffix(""))
            heading = name if epsilon is None else f"{name} at {epsilon:.4g}"
            if shown.lost.get(name):
                heading += f" ({shown.lost[name]} fool only before rounding to 8 bits: --eight-bit)"
            pictures[heading] = path
    write_html(report, folder / "report.html", curves=curves, examples=pictures)


def _save_images(shown: ExampleImages, name: str, folder: Path) -> None:
    """Writes each image of an attack as a PNG of its own, if it is grey or of three colours."""
    images = shown.adversarial[name]
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        return
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        pixels = to_uint8(image)
        label, said = shown.labels[number], shown.predicted[name][number]
        save_image(as_picture(pixels), folder / f"{number}-label-{label}-said-{said}.png")
