"""pix2pix and CycleGAN by kgan, by the pattern of TensorFlow's tutorials, and in PyTorch.

All train the same networks (widths, norms, borders, noise), losses, weights of them, optimizers and
batches. kgan's CycleGAN and PyTorch's have a pool of earlier images, the tutorials' has none.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from translation_contestant import (
    RATE,
    Contestant,
    adam,
    cycle_networks,
    paired_networks,
    translation_by,
)
from translation_pytorch import torch_cyclegan, torch_pix2pix
from translation_tutorials import (
    borrowing_cyclegan,
    borrowing_pix2pix,
    tutorial_cyclegan,
    tutorial_pix2pix,
)

import kgan.models


def _own(model: Any, networks: list[keras.Model], rate: float) -> Contestant:
    model.compile(g_optimizer=adam(rate), d_optimizer=adam(rate))

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        model.train_step((a, b))

    return Contestant(tf.constant, step, translation_by(networks[0]), networks)


def own_pix2pix(side: int, width: int, rate: float = RATE) -> Contestant:
    networks = paired_networks(side, width)
    return _own(kgan.models.PairedGAN(*networks), networks, rate)


def own_cyclegan(side: int, width: int, rate: float = RATE) -> Contestant:
    networks = cycle_networks(side, width)
    return _own(kgan.models.CycleGAN(*networks), networks, rate)


CONTESTANTS: dict[str, dict[str, Callable[..., Contestant]]] = {
    "pix2pix": {
        "kgan": own_pix2pix,
        "tutorial": tutorial_pix2pix,
        "tutorial, kgan's networks": borrowing_pix2pix,
        "pytorch": torch_pix2pix,
    },
    "cyclegan": {
        "kgan": own_cyclegan,
        "tutorial": tutorial_cyclegan,
        "tutorial, kgan's networks": borrowing_cyclegan,
        "pytorch": torch_cyclegan,
    },
}
