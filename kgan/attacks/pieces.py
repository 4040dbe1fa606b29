"""The data of an evaluation, a few batches at a time."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.attack import check_images
from kgan.attacks.labels import class_indices
from kgan.attacks.victim import victim_of

_BATCHES_IN_A_PIECE = 4


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some consecutive images of the data.

    Attributes:
        start: Index of the first.
        images: float32 (n, ...) in [0, 1].
        labels: int32 (n,).
        logits: The model's, clean, (n, classes).
    """

    start: int
    images: np.ndarray
    labels: np.ndarray
    logits: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        return self.logits.argmax(axis=1) == self.labels


def pieces(model: keras.Model, images: Any, labels: Any, batch_size: int) -> Iterator[Piece]:
    """The data in pieces of a few batches, checked and converted."""
    size = _BATCHES_IN_A_PIECE * batch_size
    start = 0
    for some_images, some_labels in _raw_pieces(images, labels, size):
        if some_images.dtype == np.uint8:
            some_images = some_images.astype(np.float32) / np.float32(255)
        some_images = check_images(some_images)
        victim = victim_of(model, some_images)
        logits = victim.predict(some_images, batch_size=batch_size)
        if some_labels is None:
            some_labels = logits.argmax(axis=1)
        some_labels = class_indices(some_labels, len(some_images), victim.classes)
        yield Piece(start, some_images, some_labels, logits)
        start += len(some_images)


def _raw_pieces(images: Any, labels: Any, size: int) -> Iterator[tuple[np.ndarray, Any]]:
    if isinstance(images, tf.data.Dataset):
        if labels is not None:
            raise ValueError("labels must be left out where images is a tf.data.Dataset with them.")
        if not isinstance(images.element_spec, tuple) or len(images.element_spec) != 2:
            raise ValueError(
                f"a tf.data.Dataset must give (images, labels), gives {images.element_spec}."
            )
        yield from images.unbatch().batch(size).as_numpy_iterator()
        return
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"labels must be {len(images)}, one an image, got {len(labels)}.")
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        yield np.asarray(images[rows]), None if labels is None else np.asarray(labels[rows])
