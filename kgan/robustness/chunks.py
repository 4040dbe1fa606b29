"""The data of an evaluation, a few batches at a time."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.pixels
from kgan.attacks.checks import check_images
from kgan.attacks.victim import Victim, victim_of

_BATCHES_IN_A_CHUNK = 4
# Number of images that a report shows before and after the attacks.
_EXAMPLES = 8


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Some consecutive images of the data.

    Attributes:
        start: Index of the first image in the data.
        images: The clean images, float32 (n, ...) in [0, 1].
        labels: The true classes, int32 (n,), or what else the victim's criterion takes.
        logits: The model's logits for the clean images, float32 (n, classes).
        correct: Whether each clean image is classified correctly, bool (n,).
    """

    start: int
    images: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    correct: np.ndarray

    @property
    def shown(self) -> np.ndarray:
        """Rows of the images that the report shows: a few correct ones of the first chunk."""
        return np.flatnonzero(self.correct)[: 0 if self.start else _EXAMPLES]


def length_of(images: Any) -> int | None:
    """Number of images; `None` for a stream. Raises `ValueError` for what is neither."""
    if isinstance(images, tf.data.Dataset):
        return None
    if isinstance(images, keras.utils.PyDataset) or not hasattr(images, "__getitem__"):
        raise ValueError(
            "images must be an array or a tf.data.Dataset of (images, labels) batches, got "
            f"{type(images).__name__}."
        )
    return len(images)


def chunks(
    model: keras.Model | Victim, images: Any, labels: Any, batch_size: int
) -> Iterator[Chunk]:
    """The data in chunks of a few batches, checked and converted."""
    size = _BATCHES_IN_A_CHUNK * batch_size
    start = 0
    for some_images, some_labels in _slices(images, labels, size):
        some_images = check_images(kgan.pixels.to_float(some_images))
        victim = victim_of(model, some_images)
        rows = np.arange(start, start + len(some_images))
        logits = victim.predict(some_images, batch_size=batch_size, indices=rows)
        if some_labels is None:
            some_labels = victim.criterion.truth_of(logits)
        some_labels = victim.truth(some_labels, len(some_images))
        correct = ~victim.fooled(logits, some_labels)
        yield Chunk(start, some_images, some_labels, logits, correct)
        start += len(some_images)


def _slices(images: Any, labels: Any, size: int) -> Iterator[tuple[np.ndarray, Any]]:
    """Images and labels without conversion, `size` at a time."""
    if isinstance(images, tf.data.Dataset):
        if labels is not None:
            raise ValueError("labels must be left out where images is a tf.data.Dataset with them.")
        if not isinstance(images.element_spec, tuple) or len(images.element_spec) != 2:
            raise ValueError(
                f"a tf.data.Dataset must give (images, labels), gives {images.element_spec}."
            )
        if not all(len(spec.shape or ()) for spec in images.element_spec):
            raise ValueError("a tf.data.Dataset must give batches: dataset.batch(256).")
        if images.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError("a tf.data.Dataset must end, and this one repeats: dataset.take(40).")
        yield from images.unbatch().batch(size).as_numpy_iterator()
        return
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"labels must be {len(images)}, one an image, got {len(labels)}.")
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        yield np.asarray(images[rows]), None if labels is None else np.asarray(labels[rows])
