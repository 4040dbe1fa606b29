"""Pictures: one way to draw samples, a figure, a grid, a curve.

    picture = kgan.pictures.samples(gan.kind, gan.generate(100), columns=10)
    kgan.pictures.save_image(picture, Path("samples.png"))

A kind of samples is drawn by its row in `DRAW`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from kgan.kinds import Images, Kind, Points, Table
from kgan.pictures.grid import alike, as_picture, by_class, grid, pairs
from kgan.pictures.image_files import save_animation, save_image
from kgan.pictures.marginals import marginals
from kgan.pictures.scatter import scatter
from kgan.pixels import visible
from kgan.rows import Rows

Draw = Callable[[Any, Any, int | None], Image.Image]
"""From samples, real ones (or `None`), and how many in a row (or `None`) to a picture."""


def _draw_images(images: np.ndarray, real: Any, columns: int | None) -> Image.Image:
    return grid(images, columns)


def _draw_points(points: np.ndarray, real: np.ndarray | None, columns: int | None) -> Image.Image:
    return scatter(points if real is None else real, points)


def _draw_rows(rows: Rows, real: Rows | None, columns: int | None) -> Image.Image:
    return marginals(rows, real)


DRAW: dict[type[Kind], Draw] = {Images: _draw_images, Points: _draw_points, Table: _draw_rows}
"""How samples are drawn, by kind."""


def samples(
    kind: Kind, samples: Any, *, real: Any = None, columns: int | None = None
) -> Image.Image:
    """A picture of samples.

    Args:
        kind: Kind of the samples.
        samples: Generated samples, in the units of their kind; images float in [0, 1].
        real: Real samples to draw beside them, for kinds whose samples say little alone.
        columns: How many in a row, for kinds that are drawn in rows.

    Raises:
        ValueError: Where samples of this kind cannot be drawn.
    """
    if isinstance(kind, Images):
        samples = visible(samples, kind.shown)
    if type(kind) not in DRAW:
        known = ", ".join(one.plural for one in DRAW)
        raise ValueError(f"{kind.plural} cannot be drawn, only {known}.")
    return DRAW[type(kind)](samples, real, columns)


__all__ = [
    "DRAW",
    "alike",
    "as_picture",
    "by_class",
    "grid",
    "marginals",
    "pairs",
    "samples",
    "save_animation",
    "save_image",
    "scatter",
]
