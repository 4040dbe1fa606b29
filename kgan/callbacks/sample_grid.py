"""A picture of generated samples after each epoch, always from the same latents."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

import kgan.latents
import kgan.pictures
from kgan.history import Logs
from kgan.kinds import Images
from kgan.pictures import save_animation, save_image

_COLUMNS = 10
_MOST_ROWS = 16
_POINTS = 2000


class SampleGrid(keras.callbacks.Callback):
    """Writes `epoch-0001.png`, ... and, when training ends, all of them as `animation.gif`.

    `kgan.pictures.samples` draws the samples: images as a grid, points over real points. The grid
    of a conditional model has a row for each class (at most 16), with the same latents in every
    row.

    Args:
        folder: The folder to write to.
        real: Real samples (n, ...) to draw behind the generated ones; not used for images.
        seed: Seed of the latents, an int.
    """

    def __init__(self, folder: str | Path, *, real: np.ndarray | None = None, seed: int = 0):
        super().__init__()
        self.folder = Path(folder)
        self.real = None if real is None else real[:_POINTS]
        self.seed = seed

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        save_image(self._picture(), self.folder / f"epoch-{epoch + 1:04d}.png")

    def on_train_end(self, logs: Logs = None) -> None:
        save_animation(sorted(self.folder.glob("epoch-*.png")), self.folder / "animation.gif")

    def _picture(self) -> Image.Image:
        model = self.model
        if not isinstance(model.kind, Images):
            samples = model.generate(_POINTS, seed=self.seed)
        elif model.num_classes is None:
            samples = model.generate(_COLUMNS**2, seed=self.seed)
        else:
            rows = min(model.num_classes, _MOST_ROWS)
            seeds = kgan.latents.example_seeds(self.seed, _COLUMNS)
            latents = np.tile(kgan.latents.from_seeds(seeds, model.latent_dim), (rows, 1))
            labels = np.repeat(np.arange(rows, dtype=np.int32), _COLUMNS)
            samples = model.decode(latents, labels)
        return kgan.pictures.samples(model.kind, samples, real=self.real, columns=_COLUMNS)
