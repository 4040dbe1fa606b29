"""Matplotlib figures that no window shows, written whole or not at all."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from kgan.files import atomic_path


def new_figure(width: float, height: float, *, dpi: int = 100) -> Figure:
    """An empty figure of that size in inches, whose axes share the room without overlap."""
    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Writes the figure; the suffix tells the format."""
    with atomic_path(path) as temporary, _any_letters():
        figure.savefig(temporary)


def as_image(figure: Figure) -> Image.Image:
    """The figure as an RGB image."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    with _any_letters():
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


@contextlib.contextmanager
def _any_letters() -> Iterator[None]:
    """Within it, letters that the font lacks, in names of the user's, are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
