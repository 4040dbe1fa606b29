"""What `kgan latents` looks at: a GAN of images, and what the user wants to see of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

import kgan.latents
import kgan.losses
from kgan.cli.sample import chosen_labels
from kgan.metrics.extractor import extractor
from kgan.models import GAN
from kgan.models.styles import Styles
from kgan.runs.source import Source
from kgan.settings.latents import LatentsSettings


class View:
    """A GAN and what the user wants to see of it.

    Attributes:
        gan: The GAN.
        source: Where it is from.
        settings: What the user wants to see.
        found: The parts of a generator with styles, else `None`.
        features: Differentiable function of images (m, ...) to vectors that are to be alike where
            images are looked for; `None` where pixels alone count.
    """

    def __init__(self, source: Source, settings: LatentsSettings):
        self.gan: GAN = source.model
        self.source = source
        self.settings = settings
        self.found = Styles.of(self.gan.ema_generator)
        self.features = _features(settings.features, self.gan.sample_shape)

    def latents(self, n: int, *, part: int = 0) -> tf.Tensor:
        seeds = kgan.latents.example_seeds(self.settings.seed, n, start=part * n)
        return kgan.latents.from_seeds(seeds, self.gan.latent_dim)

    def labels(self, n: int) -> np.ndarray | None:
        return chosen_labels(self.source, self.settings.labels, n)

    def styled(self) -> Styles:
        """The generator's parts.

        Raises:
            ValueError: For a generator without styles.
        """
        if self.found is None:
            raise ValueError(
                f"the generator must have styles for this, as those of stylegan2 have, and "
                f"{self.settings.source} has none: --show truncate, interpolate, classes, "
                "directions, and project without --encoder, need none."
            )
        return self.found


def as_tensor(labels: np.ndarray | None) -> tf.Tensor | None:
    return None if labels is None else tf.constant(labels)


def _features(name: str | None, shape: tuple[int, ...]) -> Callable[[tf.Tensor], tf.Tensor] | None:
    """What tells the features of images of that shape.

    Raises:
        FileNotFoundError: Where there is no such network.
        ValueError: For one that has no gradient in Keras, or takes other images.
    """
    if name is None:
        return None
    if name == "inception" or Path(name).suffix in (".pb", ".tgz"):
        raise ValueError(f"features must be those of a Keras network, got {name}.")
    found = extractor(name, what="features")
    if not tf.TensorShape(found.image_shape).is_compatible_with(shape):
        raise ValueError(
            f"features must be those of a network that takes images of {shape}, as the model "
            f"makes, got {name}, which takes {found.image_shape}. kgan train-classifier makes one."
        )
    return kgan.losses.FeatureDistance(found.model).vectors
