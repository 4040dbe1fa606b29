"""A picture of what an autoencoder makes of some images, after each epoch."""

from pathlib import Path

import keras
import numpy as np

from kgan.history import Logs
from kgan.pictures import grid, save_image
from kgan.pixels import visible


class ReconstructionGrid(keras.callbacks.Callback):
    """Writes `reconstructions-0001.png`, ...: a row of images, and below it what the model makes of
    their latents.

    Args:
        folder: Where to write.
        images: A row of images, float32 (n, ...) in [0, 1].
        labels: Their class numbers (n,), where the model is conditional.
    """

    def __init__(self, folder: str | Path, images: np.ndarray, labels: np.ndarray | None = None):
        super().__init__()
        self.folder = Path(folder)
        self.images = images
        self.labels = labels

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        labels = None if self.model.num_classes is None else self.labels
        rows = np.concatenate([self.images, self.model.reconstruct(self.images, labels)])
        path = self.folder / f"reconstructions-{epoch + 1:04d}.png"
        save_image(grid(visible(rows, self.model.kind.shown), len(self.images)), path)
