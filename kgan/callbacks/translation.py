"""What a model that translates between two domains makes of them, after each epoch."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from kgan.pictures import grid, save_animation, save_image


class TranslationGrid(keras.callbacks.Callback):
    """Writes `epoch-0001.png`, ... and, when training ends, `animation.gif` of them all.

    Each picture has rows: samples of A, what they become in B, the truth where it is known, and
    what becomes of them on the way back; then the same for B.

    Args:
        folder: Where to write.
        a: Images of domain A, float32 in [0, 1], a column each.
        b: As many images of domain B.
        paired: Whether each image of A belongs to the one of B in its column.
    """

    def __init__(self, folder: str | Path, a: np.ndarray, b: np.ndarray, *, paired: bool = False):
        super().__init__()
        self.folder = Path(folder)
        self.a, self.b, self.paired = a, b, paired

    def on_epoch_end(self, epoch, logs=None):
        rows = [
            *self._rows(self.a, self.b, "a_to_b", "b_to_a"),
            *self._rows(self.b, self.a, "b_to_a", "a_to_b"),
        ]
        picture = grid(np.concatenate(_alike(rows)), len(self.a))
        save_image(picture, self.folder / f"epoch-{epoch + 1:04d}.png")

    def on_train_end(self, logs=None):
        save_animation(sorted(self.folder.glob("epoch-*.png")), self.folder / "animation.gif")

    def _rows(self, samples, others, there: str, back: str) -> list[np.ndarray]:
        translated = self.model.translate(samples, there)
        truth = [others] if self.paired else []
        return [samples, translated, *truth, self.model.translate(translated, back)]


class TranslationError(keras.callbacks.Callback):
    """Adds `error` and `error_back` to the logs: how far translations are from the truth.

    They are mean absolute differences, from A to B and from B to A, of samples whose translation
    is known. Place it before the callbacks that write the logs.

    Args:
        a: Samples of domain A, float32.
        b: The same samples in domain B, in the same order.
    """

    def __init__(self, a: np.ndarray, b: np.ndarray):
        super().__init__()
        self.a, self.b = a, b

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            return
        logs["error"] = float(np.abs(self.model.translate(self.a, "a_to_b") - self.b).mean())
        logs["error_back"] = float(np.abs(self.model.translate(self.b, "b_to_a") - self.a).mean())


def _alike(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Rows of images with one number of channels: grey ones in colour where others are."""
    channels = max(row.shape[-1] for row in rows)
    return [row if row.shape[-1] == channels else np.repeat(row, channels, -1) for row in rows]
