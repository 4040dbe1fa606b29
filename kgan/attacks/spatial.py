"""Spatial attacks: the worst of a grid of rotations, shifts, crops and occlusions."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class Spatial(Attack):
    """Tries every transformation of a grid, the mildest first, and keeps the first that fools.

    Rotations and shifts are combined; crops (zooming into the middle) and occlusions (a black
    square) are tried alone. Pixels from outside the image are black. Spatial changes are large in
    every norm, so there is no epsilon.

    Args:
        rotation: Largest angle, in degrees.
        shift: Largest shift in both directions, in pixels.
        crop: Largest share of the image's side that is cropped, in [0, 1).
        occlusion: Side of the black square, as a share of the image's side.
        points: Number of grid points on each axis, odd so that "no change" is one of them.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Not used, since nothing is random; every attack has it.

    Reference:
        Engstrom et al., "Exploring the landscape of spatial robustness", 2019, section 3.
    """

    norms = ()
    category = "black-box"
    needs = "labels"
    needs_pixels = True

    def __init__(
        self,
        *,
        rotation: float = 30.0,
        shift: float = 3.0,
        crop: float = 0.2,
        occlusion: float = 0.3,
        points: int = 5,
        quantize: bool = False,
        seed: int = 0,
    ):
        for name, value, limit in (
            ("rotation", rotation, 180.0),
            ("shift", shift, np.inf),
            ("crop", crop, 0.9),
            ("occlusion", occlusion, 1.0),
        ):
            if not 0 <= value <= limit:
                raise ValueError(f"{name} must be in [0, {limit:g}], got {value}.")
        self.rotation = float(rotation)
        self.shift = float(shift)
        self.crop = float(crop)
        self.occlusion = float(occlusion)
        self.points = check_count("points", points)
        if points % 2 == 0:
            raise ValueError(f"points must be odd, got {points}.")
        self.quantize = quantize
        self.seed = check_seed(seed)

    def grid(self, height: int, width: int) -> np.ndarray:
        """All transformations, the mildest first.

        Returns:
            float32 array of shape (count, 7): angle in radians, shift down and right in pixels,
            share cropped; top, left and side of the occlusion in pixels.
        """

        def axis(limit: float) -> np.ndarray:
            return np.unique(np.linspace(-limit, limit, self.points))

        angles, shifts = axis(np.deg2rad(self.rotation)), axis(self.shift)
        moves = [
            (angle, down, right, 0.0, 0.0, 0.0, 0.0)
            for angle, down, right in itertools.product(angles, shifts, shifts)
        ]
        crops = [(0, 0, 0, share, 0, 0, 0) for share in np.linspace(0, self.crop, self.points)[1:]]
        side = round(self.occlusion * min(height, width))
        squares = [
            (0, 0, 0, 0, round(top), round(left), side)
            for top in np.linspace(0, height - side, self.points)
            for left in np.linspace(0, width - side, self.points)
            if side
        ]
        rows = np.array([*moves, *crops, *squares], np.float32)
        limits = np.array([np.deg2rad(self.rotation), self.shift, self.shift, self.crop]) + 1e-9
        severity = np.abs(rows[:, :4] / limits).sum(axis=1) + (rows[:, 6] > 0)
        return rows[np.argsort(severity, kind="stable")]

    def _attack(self, batch: AttackBatch) -> State:
        height, width = batch.images.shape[1:3]
        grid = tf.constant(self.grid(height, width))

        def step(i: tf.Tensor, state: State) -> State:
            return batch.record(state, transform(state["original"], grid[i]))

        return loop.run(step, batch.start(), grid.shape[0])


def transform(images: tf.Tensor, how: tf.Tensor) -> tf.Tensor:
    """Applies one row of `Spatial.grid` to images of shape (batch, height, width, channels)."""
    height, width = images.shape[1:3]
    angle, down, right, crop, top, left, side = tf.unstack(how)
    cos, sin = (1.0 - crop) * tf.cos(angle), (1.0 - crop) * tf.sin(angle)
    # Maps output to input coordinates, around the middle c: x_in = R (x_out - c - shift) + c.
    middle_x, middle_y = (width - 1) / 2.0, (height - 1) / 2.0
    move_x = middle_x - cos * (middle_x + right) - sin * (middle_y + down)
    move_y = middle_y + sin * (middle_x + right) - cos * (middle_y + down)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([cos, sin, move_x, -sin, cos, move_y, 0.0, 0.0])[None],
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
    rows = tf.range(height, dtype=tf.float32)[:, None, None]
    columns = tf.range(width, dtype=tf.float32)[None, :, None]
    hidden = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    return tf.clip_by_value(tf.where(hidden, 0.0, moved), 0.0, 1.0)
