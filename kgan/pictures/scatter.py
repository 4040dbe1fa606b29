"""Points in the plane."""

import numpy as np
from PIL import Image

from kgan.pictures.figure import as_image, new_figure


def scatter(real: np.ndarray, fake: np.ndarray) -> Image.Image:
    """Points, real ones in grey below generated ones; the first two features are drawn.

    Args:
        real: (n, d); the picture shows the room that they take.
        fake: (m, d).
    """
    figure = new_figure(5, 5)
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
    return as_image(figure)
