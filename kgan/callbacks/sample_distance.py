"""A cheap score of the averaged generator after each epoch, for every run."""

import keras
import numpy as np

from kgan.history import Logs
from kgan.metrics import sliced_wasserstein


class SampleDistance(keras.callbacks.Callback):
    """Adds `distance` to the logs: the sliced Wasserstein distance of generated to real samples.

    It compares raw values (pixels or points) and needs no trained features. Use it to choose
    between checkpoints of one run; it is not comparable with published scores.

    Args:
        real: float32 samples of the real data, images in [0, 1].
        labels: Labels of these samples; generated ones get the same.
        seed: Seed of the latents.
    """

    def __init__(self, real: np.ndarray, labels: np.ndarray | None = None, *, seed: int = 0):
        super().__init__()
        self.real = real
        self.labels = labels
        self.seed = seed

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        labels = None if self.model.num_classes is None else self.labels
        fake = self.model.generate(len(self.real), labels, seed=self.seed)
        if logs is not None:
            finite = np.isfinite(fake).all()
            logs["distance"] = sliced_wasserstein(self.real, fake) if finite else float("nan")
