"""Images in rows and columns."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from kgan.pixels import to_uint8, visible

_SMALLEST_CELL = 32


def grid(images: np.ndarray, columns: int | None = None) -> Image.Image:
    """Images in rows, a pixel of white between; small images are enlarged by a whole factor.

    Args:
        images: Images, float (n, height, width, channels) in [0, 1]; of other numbers of channels
            than 1 and 3 some are shown, as `kgan.pixels.visible` says.
        columns: Number of images in a row; `None` makes the grid about square.
    """
    images = visible(images)
    if images.ndim != 4 or not len(images) or (columns is not None and columns < 1):
        raise ValueError(
            "images must be some of shape (n, height, width, channels), in at least one column, "
            f"got the shape {images.shape} in {columns or 'no'} columns."
        )
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    factor = max(1, math.ceil(_SMALLEST_CELL / max(height, width)))
    cells = to_uint8(images).repeat(factor, axis=1).repeat(factor, axis=2)
    height, width = height * factor, width * factor
    canvas = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), 255, np.uint8)
    for index, cell in enumerate(cells):
        top, left = (
            side * (size + 1) + 1
            for side, size in zip(divmod(index, columns), (height, width), strict=True)
        )
        canvas[top : top + height, left : left + width] = cell
    return as_picture(canvas)


def by_class(labels: np.ndarray, *, aspect: float = 1.0) -> tuple[np.ndarray, int]:
    """An arrangement of images in which classes are seen apart, about square.

    Either each class has a column, or each class has rows of its own, whichever looks squarer.

    Args:
        labels: Class numbers (n,).
        aspect: Width of an image, divided by its height.

    Returns:
        Row numbers of the images, -1 for a cell that stays empty, and the number of columns.
    """
    classes, counts = np.unique(labels, return_counts=True)

    def ugliness(columns: int, rows: int) -> float:
        empty = 1 - len(labels) / (columns * rows)
        return abs(math.log(columns * aspect / rows)) + 2 * empty

    most = int(counts.max())
    in_columns = ugliness(len(classes), most)
    blocks = {
        columns: ugliness(columns, int(np.ceil(counts / columns).sum()))
        for columns in range(1, most + 1)
    }
    best = min(blocks, key=blocks.__getitem__)
    rows_of = [np.flatnonzero(labels == one) for one in classes]
    if in_columns <= blocks[best]:
        cells = np.full((most, len(classes)), -1)
        for column, rows in enumerate(rows_of):
            cells[: len(rows), column] = rows
        return cells.ravel(), len(classes)
    padded = [np.pad(rows, (0, -len(rows) % best), constant_values=-1) for rows in rows_of]
    return np.concatenate(padded), best


def pairs(before: np.ndarray, after: np.ndarray) -> Image.Image:
    """Images in pairs side by side, several pairs in a row.

    Args:
        before: float (n, height, width, channels) in [0, 1].
        after: As many of that size; of two numbers of channels the grey ones are drawn in colour.
    """
    both = np.stack(alike([before, after]), axis=1)
    n, height, width = len(both), *both.shape[2:4]
    columns = max(1, round(math.sqrt(n * height / (2 * width))))
    return grid(both.reshape(2 * n, *both.shape[2:]), 2 * columns)


def alike(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Images (n, height, width, channels) with one number of channels: grey as colour at need."""
    images = [visible(one) for one in images]
    channels = max(one.shape[-1] for one in images)
    return [one if one.shape[-1] == channels else np.repeat(one, channels, -1) for one in images]


def as_picture(pixels: np.ndarray) -> Image.Image:
    """uint8 (height, width, 1, 3 or 4) as a grey, colour or RGBA picture."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
