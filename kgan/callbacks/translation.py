"""What a model that translates between two domains makes of them, after each epoch."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from kgan.kinds import Images
from kgan.metrics.image_quality import psnr
from kgan.pictures import alike, grid, save_animation, save_image
from kgan.pixels import visible


class TranslationGrid(keras.callbacks.Callback):
    """Writes `epoch-0001.png`, ... and, when training ends, `animation.gif` of them all.

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
        picture = translations(self.model, self.a, self.b, paired=self.paired)
        save_image(picture, self.folder / f"epoch-{epoch + 1:04d}.png")

    def on_train_end(self, logs=None):
        save_animation(sorted(self.folder.glob("epoch-*.png")), self.folder / "animation.gif")


def translations(model: Any, a: np.ndarray, b: np.ndarray, *, paired: bool) -> Image.Image:
    """A picture of translations in all directions that the model has.

    It has rows: images of A, what they become in B, the truth where it is known, and what becomes
    of them on the way back; then the same for B. Without a way back those of B stand below as they
    are.

    Args:
        model: Has `translate(images, direction)` and `directions`.
        a: Images of domain A, float32 in [0, 1], a column each.
        b: As many images of domain B.
        paired: Whether each image of A belongs to the one of B in its column.
    """
    rows = []
    if "b_to_a" not in model.directions:
        return grid(np.concatenate(alike([a, model.translate(a, "a_to_b"), b])), len(a))
    for samples, others, there, back in ((a, b, "a_to_b", "b_to_a"), (b, a, "b_to_a", "a_to_b")):
        translated = model.translate(samples, there)
        truth = [others] if paired else []
        rows += [samples, translated, *truth, model.translate(translated, back)]
    return grid(np.concatenate(alike(rows)), len(a))


class TranslationError(keras.callbacks.Callback):
    """Adds `error` and `error_back` to the logs: how far translations are from the truth.

    They are mean absolute differences, from A to B and from B to A (where the model goes back), of
    samples whose translation is known. Place it before the callbacks that write the logs.

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
        if "b_to_a" in self.model.directions:
            back = self.model.translate(self.b, "b_to_a")
            logs["error_back"] = float(np.abs(back - self.a).mean())


class PairedGrid(keras.callbacks.Callback):
    """Writes `epoch-0001.png`, ... and, when training ends, `animation.gif` of them all.

    Args:
        folder: Where to write.
        a: Images of A, float32 in [0, 1], a column each.
        b: Their targets.
    """

    def __init__(self, folder: str | Path, a: np.ndarray, b: np.ndarray):
        super().__init__()
        self.folder = Path(folder)
        self.a, self.b = a, b

    def on_epoch_end(self, epoch, logs=None):
        picture = translated_pairs(self.model, self.a, self.b)
        save_image(picture, self.folder / f"epoch-{epoch + 1:04d}.png")

    def on_train_end(self, logs=None):
        save_animation(sorted(self.folder.glob("epoch-*.png")), self.folder / "animation.gif")


def translated_pairs(model: Any, a: np.ndarray, b: np.ndarray) -> Image.Image:
    """A picture of rows: images of A, what the model makes of them, and their targets.

    Args:
        model: Has `translate(images)` and `kinds`.
        a: Images of A, float32 in [0, 1], a column each.
        b: Their targets, which may be larger by a whole factor.
    """
    shown_a, shown_b = (kind.shown if isinstance(kind, Images) else None for kind in model.kinds)
    inputs = visible(a, shown_a)
    factor = b.shape[1] // a.shape[1]
    inputs = inputs.repeat(factor, axis=1).repeat(factor, axis=2)
    rows = [inputs, visible(model.translate(a), shown_b), visible(b, shown_b)]
    return grid(np.concatenate(alike(rows)), len(a))


class PairedError(keras.callbacks.Callback):
    """Adds `error` (mean absolute difference) and `psnr` of some pairs to the logs.

    Place it before the callbacks that write the logs.

    Args:
        a: Samples of A, float32.
        b: Their targets.
    """

    def __init__(self, a: np.ndarray, b: np.ndarray):
        super().__init__()
        self.a, self.b = a, b

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            return
        made = self.model.translate(self.a)
        logs["error"] = float(np.abs(made - self.b).mean())
        logs["psnr"] = float(psnr(made, self.b).mean())
