"""What `kgan latents` looks at: a GAN of images, and what the user wants to see of it."""

import numpy as np
import tensorflow as tf

import kgan.latents
from kgan.cli.sample import chosen_labels
from kgan.models import GAN
from kgan.models.styles import Styles
from kgan.runs.source import Source
from kgan.settings.latents import LatentsSettings


class View:
    """A GAN and what the user wants to see of it."""

    def __init__(self, source: Source, settings: LatentsSettings):
        self.gan: GAN = source.model
        self.source = source
        self.settings = settings
        self.found = Styles.of(self.gan.ema_generator)

    def latents(self, n: int, *, part: int = 0) -> tf.Tensor:
        seeds = kgan.latents.example_seeds(self.settings.seed, n, start=part * n)
        return kgan.latents.from_seeds(seeds, self.gan.latent_dim)

    def labels(self, n: int) -> np.ndarray | None:
        return chosen_labels(self.source, self.settings.labels, n)

    def styled(self) -> Styles:
        """The generator's parts; raises for one without styles."""
        return self.gan.styles()


def as_tensor(labels: np.ndarray | None) -> tf.Tensor | None:
    return None if labels is None else tf.constant(labels)
