"""A picture of the generator after each epoch, from latents that never change."""

from pathlib import Path

import keras
import numpy as np

import kgan.latents
from kgan.callbacks.drawing import grid, save_animation, save_image, scatter

_COLUMNS = 10
_MOST_ROWS = 16
_POINTS = 2000


class SampleGrid(keras.callbacks.Callback):
    """Writes `epoch-0001.png`, ... and, when training ends, `animation.gif` of them all.

    A conditional GAN gets a row for each class (at most 16), with the same latents in every row. A
    generator of points gets a scatter plot over real points.

    Args:
        folder: Where to write.
        real: Real points to draw below generated ones; unused for images.
        seed: Of the latents.
    """

    def __init__(self, folder: str | Path, *, real: np.ndarray | None = None, seed: int = 0):
        super().__init__()
        self.folder = Path(folder)
        self.real = None if real is None else real[:_POINTS]
        self.seed = seed

    def on_epoch_end(self, epoch, logs=None):
        picture = self._scatter() if len(self.model.sample_shape) == 1 else self._grid()
        save_image(picture, self.folder / f"epoch-{epoch + 1:04d}.png")

    def on_train_end(self, logs=None):
        save_animation(sorted(self.folder.glob("epoch-*.png")), self.folder / "animation.gif")

    def _grid(self):
        gan = self.model
        if gan.num_classes is None:
            return grid(gan.generate(_COLUMNS**2, seed=self.seed), _COLUMNS)
        rows = min(gan.num_classes, _MOST_ROWS)
        seeds = kgan.latents.example_seeds(self.seed, _COLUMNS)
        latents = np.tile(kgan.latents.from_seeds(seeds, gan.latent_dim), (rows, 1))
        labels = np.repeat(np.arange(rows, dtype=np.int32), _COLUMNS)
        return grid(gan.decode(latents, labels), _COLUMNS)

    def _scatter(self):
        points = self.model.generate(_POINTS, seed=self.seed)
        return scatter(points if self.real is None else self.real, points)
