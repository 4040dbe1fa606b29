"""Differentiable augmentation with fixed changes, always on."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

import kgan.names
from kgan.augmentation.augmentation import Augmentation, draw

_SHIFT, _HOLE = 1 / 8, 1 / 2


def color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Another brightness, saturation and contrast, in this order."""
    if images.shape[-1] == 4:
        # Opacity has no colour.
        return tf.concat([color(images[..., :3], seed), images[..., 3:]], axis=3)
    brightness, saturation, contrast = (
        one[:, None, None, None] for one in draw(seed, 0, images, count=3)
    )
    images = images + brightness - 0.5
    if images.shape[-1] > 1:
        grey = tf.reduce_mean(images, axis=3, keepdims=True)
        images = grey + 2.0 * saturation * (images - grey)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (contrast + 0.5) * (images - mean)


def translation(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shifted by up to an eighth of each side; what comes in is 0."""
    draws = draw(seed, 1, images, count=2)
    for axis, one in enumerate(draws, start=1):
        side = images.shape[axis]
        most = int(side * _SHIFT + 0.5)
        shift = tf.cast(tf.floor(one * (2 * most + 1)), tf.int32)
        rows = tf.range(side)[None] + shift[:, None]
        padding = [[most, most] if i == axis else [0, 0] for i in range(4)]
        images = tf.gather(tf.pad(images, padding), rows, axis=axis, batch_dims=1)
    return images


def cutout(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A rectangle of half of each side, about any pixel of the image, becomes 0."""
    draws, inside = draw(seed, 2, images, count=2), []
    for axis, one in enumerate(draws, start=1):
        side = images.shape[axis]
        hole = int(side * _HOLE + 0.5)
        middle = tf.floor(one * (side + 1 - hole % 2))
        first = (middle - hole // 2)[:, None]
        place = tf.range(side, dtype=tf.float32)[None]
        inside.append((place >= first) & (place < first + hole))
    mask = inside[0][:, :, None, None] & inside[1][:, None, :, None]
    return tf.where(mask, tf.zeros([], images.dtype), images)


CHANGES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}


@keras.saving.register_keras_serializable(package="kgan")
class DiffAugment(Augmentation):
    """Colour, translation and cutout for every image in every pass of the discriminator.

    Args:
        changes: Keys of `CHANGES`, in the order in which they are made.

    Reference: Zhao et al. 2020 (arXiv:2006.10738).
    """

    def __init__(self, changes: Sequence[str] = tuple(CHANGES), **options):
        super().__init__(**options)
        for name in changes:
            kgan.names.check("change", name, CHANGES)
        self.changes = tuple(changes)

    def change(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        for name in self.changes:
            images = CHANGES[name](images, seed)
        return images

    def get_config(self):
        return {**super().get_config(), "changes": self.changes}
