"""An adversarial patch: a sticker that fools wherever it lies, at any angle and size."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import example_random
from kgan.attacks.checks import check_count, check_pixels
from kgan.attacks.learnt_attack import LearntAttack
from kgan.attacks.victim import Victim
from kgan.augmentation import sample
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class Patch(LearntAttack):
    """Covers a part of each image with one learnt patch, at a random place, angle and size.

    `fit` ascends the expected loss over images and transformations (EOT). An attacked image has
    one transformation, drawn by its seed and index; it changes the image as much as it likes inside
    the patch, so the attack has no norm.

    Args:
        share: Side of the square patch, as a share of the image's shorter side, in (0, 1].
        turn: Largest angle to either side, in degrees.
        smallest: Smallest size of a placed patch, as a share of `share`'s, in (0, 1].
        target: A class that all images shall be taken for; `None` to leave their labels.
        steps: Number of steps of `fit`, each on one batch.
        step_size: How far each value moves in a step.
        batch_size: Number of images in each batch.
        tries: Number of places that an image which is not fooled is given.
        learnt: The patch, float32 (side, side, channels); `fit` and `load` set it.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the batches and transformations, an int.

    Reference:
        Brown et al., "Adversarial patch", 2017, eq. 1.
        Athalye et al., "Synthesizing robust adversarial examples", 2018, section 2.1 (EOT).
    """

    norms = ()
    tensors: tuple[str, ...] = ("turn", "smallest", "seed")
    needs_pixels = True

    def __init__(
        self,
        *,
        share: float = 0.4,
        turn: float = 22.5,
        smallest: float = 0.8,
        target: int | None = None,
        steps: int = 300,
        step_size: float = 0.02,
        batch_size: int = 128,
        tries: int = 1,
        learnt: Any = None,
        quantize: bool = False,
        seed: int = 0,
    ):
        for name, value in (("share", share), ("smallest", smallest)):
            if not 0 < value <= 1:
                raise ValueError(f"{name} must be in (0, 1], got {value}.")
        self.share = float(share)
        if not 0 <= turn <= 180:
            raise ValueError(f"turn must be in [0, 180] degrees, got {turn}.")
        self.turn = float(turn)
        self.smallest = float(smallest)
        self.target = target
        self.targetable = target is not None
        self.steps = check_count("steps", steps)
        if not step_size > 0:
            raise ValueError(f"step_size must be above 0, got {step_size}.")
        self.step_size = float(step_size)
        self.batch_size = check_count("batch_size", batch_size)
        self.tries = check_count("tries", tries)
        self.learnt = None if learnt is None else np.asarray(learnt, np.float32)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def attempts(self, victim: Victim) -> int:
        return self.tries

    def _side(self, shape: tuple[int, ...]) -> int:
        return max(round(self.share * min(shape[:2])), 1)

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        side, channels = self._side(shape), check_pixels("Patch", shape)[2]
        if self.learnt is not None and self.learnt.shape != (side, side, channels):
            raise ValueError(
                f"images of {shape} need a patch of {(side, side, channels)}, Patch was fitted "
                f"one of {self.learnt.shape}."
            )

    def _begin(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full((self._side(shape), self._side(shape), shape[2]), 0.5, np.float32)

    def _ascend(self, array: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(array + self.step_size * tf.sign(gradient), 0.0, 1.0)

    def _apply(
        self, array: tf.Tensor, images: tf.Tensor, keys: tf.Tensor, step: tf.Tensor | int
    ) -> tf.Tensor:
        """The images, each with the patch at its own place."""
        shape = images.shape[1:]
        draws = tf.unstack(example_random.uniform(keys, (4,), "place", step), axis=1)
        angle = (2.0 * draws[0] - 1.0) * self.turn * (math.pi / 180.0)
        size = self.smallest + (1.0 - self.smallest) * draws[1]
        # The patch and a mask of ones, placed alike.
        both = tf.concat([array, tf.ones_like(array[..., :1])], axis=2)
        placed = _place(both, shape, angle, size, draws[2], draws[3])
        patch, mask = placed[..., :-1], placed[..., -1:]
        # Interpolation mixes patch and black at the rim, so the patch is not weighted again.
        return tf.clip_by_value(images * (1.0 - mask) + patch, 0.0, 1.0)


def _place(
    patch: tf.Tensor,
    shape: tf.TensorShape,
    angle: tf.Tensor,
    size: tf.Tensor,
    across: tf.Tensor,
    down: tf.Tensor,
) -> tf.Tensor:
    """A patch on black, turned by `angle` and scaled by `size`, wholly inside the image.

    Args:
        patch: float32 (side, side, channels).
        shape: Shape of the images.
        angle: Radians, (batch,).
        size: Factors of at most 1, (batch,).
        across: Where from left to right the patch lies, in [0, 1], (batch,).
        down: Where from top to bottom, likewise.

    Returns:
        float32 (batch, height, width, channels).
    """
    height, width = shape[0], shape[1]
    side = patch.shape[0]
    cosine, sine = tf.cos(angle), tf.sin(angle)
    # The box around the turned square; where it does not fit, the patch is cut at the edge.
    half = 0.5 * side * size * (tf.abs(cosine) + tf.abs(sine))

    def from_centre(share: tf.Tensor, length: int) -> tf.Tensor:
        """The pixels of one axis as seen from the patch's centre, (batch, length)."""
        room = tf.maximum(float(length) - 2.0 * half, 0.0)
        centre = 0.5 * (float(length) - room) + share * room - 0.5
        return tf.range(length, dtype=tf.float32) - centre[:, None]

    x, y = from_centre(across, width)[:, None, :], from_centre(down, height)[:, :, None]
    # From a pixel of the image to one of the patch: turn back and enlarge about the centres.
    a, b = (cosine / size)[:, None, None], (sine / size)[:, None, None]

    def on_patch(position: tf.Tensor) -> tf.Tensor:
        """What lies beyond the black rim is on it."""
        return tf.clip_by_value(position + 0.5 * (side + 1), 0.0, side + 1.0)

    # TensorFlow's ImageProjectiveTransformV3 takes half the time, but its gradient is wrong.
    rimmed = tf.pad(patch[None], [[0, 0], [1, 1], [1, 1], [0, 0]])
    return sample(rimmed, on_patch(a * y - b * x), on_patch(a * x + b * y))
