"""Pictures of samples and of training, written as PNG."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from kgan.files import atomic_path

_SMALLEST_CELL = 32


def to_uint8(images: np.ndarray) -> np.ndarray:
    """float images in [0, 1] to uint8, rounded; what is not a number becomes black."""
    return np.round(np.clip(np.nan_to_num(images), 0.0, 1.0) * 255).astype(np.uint8)


def grid(images: np.ndarray, columns: int | None = None) -> Image.Image:
    """Images in rows, a pixel of white between; small images are enlarged by a whole factor.

    Args:
        images: float (n, height, width, channels) in [0, 1].
        columns: Images in a row; `None` makes the grid about square.
    """
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
    return Image.fromarray(canvas[..., 0] if channels == 1 else canvas)


def scatter(real: np.ndarray, fake: np.ndarray) -> Image.Image:
    """Points, real ones in grey below generated ones; the first two features are drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot(aspect="equal")
    real, fake = (
        points if points.shape[1] > 1 else np.c_[points, 0 * points] for points in (real, fake)
    )
    axes.scatter(real[:, 0], real[:, 1], s=6, color="0.75", label="real")
    axes.scatter(fake[:, 0], fake[:, 1], s=3, color="tab:red", label="generated")
    low, high = real[:, :2].min(axis=0), real[:, :2].max(axis=0)
    margin = 0.15 * max(high - low)
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.legend(loc="upper right", markerscale=3)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def save_image(image: Image.Image, path: Path) -> None:
    """Writes the image whole or not at all; the suffix tells the format."""
    with atomic_path(path) as temporary:
        image.save(temporary)


def save_animation(frames: list[Path], path: Path, *, milliseconds: int = 150) -> None:
    """A GIF of the frames' files that rests on the last one."""
    images = []
    for frame in frames:
        with Image.open(frame) as image:
            images.append(image.convert("RGB"))
    if not images:
        return
    durations = [milliseconds] * (len(images) - 1) + [2000]
    with atomic_path(path) as temporary:
        images[0].save(
            temporary, save_all=True, append_images=images[1:], duration=durations, loop=0
        )
