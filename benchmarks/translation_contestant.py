"""What contestants of translation have in common: their form, their constants, kgan's networks."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

import kgan.networks

RATE, BETA = 2e-4, 0.5
BLOCKS = 3
POOL = 50
# Published for images in [-1, 1], which are twice as wide as these; a CycleGAN's stand beside
# squared distances, of which its losses here are half.
L1, CYCLE, IDENTITY = 2 * 100.0, 10.0, 5.0


@dataclasses.dataclass(frozen=True)
class Contestant:
    """Attributes:
    batch: NumPy images (batch, height, width, 3) to what a step takes.
    step: One step of training on a batch of A and one of B.
    translate: Images of A to images of B, NumPy to NumPy, as the network does for use.
    networks: In the order generators, discriminators.
    """

    batch: Callable[[np.ndarray], Any]
    step: Callable[[Any, Any], None]
    translate: Callable[[np.ndarray], np.ndarray]
    networks: Sequence[Any]


def adam(rate: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(rate, beta_1=BETA)


def paired_networks(side: int, width: int) -> list[keras.Model]:
    return [
        kgan.networks.unet_generator((side, side, 3), width=width),
        kgan.networks.patch_discriminator((side, side, 6), width=width),
    ]


def cycle_networks(side: int, width: int) -> list[keras.Model]:
    shape = (side, side, 3)
    return [
        *(kgan.networks.translation_generator(shape, width=width, blocks=BLOCKS) for _ in "ab"),
        *(kgan.networks.patch_discriminator(shape, width=width) for _ in "ab"),
    ]


def translation_by(generator: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: np.asarray(generator.predict(images, batch_size=64, verbose=0))


def judge_stages(side: int) -> int:
    return 1 if side < 32 else 2 if side < 128 else 3
