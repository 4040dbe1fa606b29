"""What a batch holds. What does not fit is refused, in the graph too; nothing is dropped.

Each function takes tensors or arrays. Values that only the running graph knows are checked by an
assertion there, which `told` makes a `ValueError` of.
"""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kgan.kinds import Images, Kind

_SAMPLES = ("image", "images", "sample", "samples", "points", "x")
_LABELS = ("label", "labels", "y")
_FAILED = "assertion failed: ["


class Batch(NamedTuple):
    """A batch that was checked.

    Attributes:
        first: Its samples.
        second: Its labels, or whatever stands there; `None` where there is nothing.
    """

    first: Any
    second: Any = None


def parts_of(data: Any, owner: str) -> tuple[Any, Any]:
    """The two parts of a batch: its samples, and its labels or whatever stands there.

    Args:
        data: What `fit` hands to a step: samples, `(samples, labels)`, or a record as
            tensorflow-datasets gives it, a dict with a key such as "image" and "label". Other
            fields of a record are left alone.
        owner: Name of the model's class, for an error.

    Raises:
        ValueError: For weights of samples, and for a dict that names no samples.
    """
    first, second, weights = unpacked(data)
    if weights is not None:
        raise ValueError(no_weights(owner))
    return first, second


def unpacked(data: Any) -> tuple[Any, Any, Any]:
    """A batch's samples, labels and weights; what is not there is `None`.

    Args:
        data: As for `parts_of`, weights allowed.

    Raises:
        ValueError: For a dict that names no samples.
    """
    first, second, weights = keras.utils.unpack_x_y_sample_weight(data)
    if not isinstance(first, Mapping):
        return first, second, weights
    samples, labels = _field(first, _SAMPLES), _field(first, _LABELS)
    if samples is None:
        raise ValueError(
            f"a batch that is a dict must hold its samples under {_any_of(_SAMPLES)}, and labels "
            f"under {_any_of(_LABELS)}, got {', '.join(map(str, first))}. Make it (samples, "
            "labels): dataset.map(lambda record: (record[...], record[...]))."
        )
    return samples, labels if second is None else second, weights


def no_weights(owner: str) -> str:
    """Why a model takes no weights of samples, and what to do."""
    return (
        f"sample_weight and class_weight must be left out: a {owner} learns how often its data "
        "hold what. Give it the share that it shall have in the data: repeat or leave out samples, "
        "such as with tf.data.Dataset.sample_from_datasets(..., weights)."
    )


def samples_of(
    samples: Any, shape: tuple[int, ...], kind: Kind | None, *, what: str, whose: str
) -> tf.Tensor:
    """Samples as a step takes them: float32, of their shape, finite, in their kind's range.

    Args:
        samples: (batch, ...) of any floating type; images also as uint8, which means [0, 255].
            Dimensions that a graph does not know are checked when it runs.
        shape: Shape of one sample.
        kind: Kind of the samples; `None` where it was not declared and the shape does not tell.
        what: What the samples are called, for an error.
        whose: Whose shape it is, for an error.
    """
    if isinstance(samples, list | tuple | Mapping) and not _is_numbers(samples):
        form = type(samples).__name__
        raise ValueError(
            f"{what} must be one array or tensor, got a {form} of {len(samples)}: "
            "call fit(samples, labels), or give a data set of (samples, labels)."
        )
    found = tf.convert_to_tensor(samples)
    wanted = tf.TensorShape([None, *shape])
    if not found.shape.is_compatible_with(wanted):
        if found.shape.rank is not None and found.shape == shape:
            raise ValueError(
                f"{what} must come in batches, got one of the shape {shape} alone: "
                "dataset.batch(batch_size)."
            )
        raise ValueError(
            f"{what} must have {whose} shape {shape}, got {tuple(found.shape[1:])}. Where a data "
            "set does not know its shapes, tf.ensure_shape states them."
        )
    if not found.shape[1:].is_fully_defined():
        # As after several calls of `fit` with data of different shapes, too.
        found = _of_shape(found, shape, what, whose)
    if found.dtype == tf.uint8 and isinstance(kind, Images):
        return tf.cast(found, tf.float32) / 255.0
    if not found.dtype.is_floating:
        units = "float32 (images in [0, 1]) or uint8 images" if _is_ranged(kind) else "float32"
        raise ValueError(
            f"{what} must be {units}, got {found.dtype.name}. Convert them, or feed them with "
            "kgan.data.feed."
        )
    return _in_range(tf.cast(found, tf.float32), kind, what)


def _of_shape(samples: tf.Tensor, shape: tuple[int, ...], what: str, whose: str) -> tf.Tensor:
    """The samples, of which a graph does not know the shape, with the one that is wanted."""
    words = (
        f"{what} must come in batches (dataset.batch(batch_size) makes them) of {whose} shape "
        f"{shape}, got the shape"
    )
    dimensions = tf.shape(samples)
    found = require(samples, tf.size(dimensions) == len(shape) + 1, words, dimensions)
    # Not before it has as many.
    known = [(axis, side) for axis, side in enumerate(shape, 1) if side is not None]
    fits = tf.reduce_all([tf.shape(found)[axis] == side for axis, side in known])
    return tf.ensure_shape(require(found, fits, words, dimensions), [None, *shape])


def _in_range(samples: tf.Tensor, kind: Kind | None, what: str) -> tf.Tensor:
    """The samples, checked where they are known."""
    finite = tf.reduce_all(tf.math.is_finite(samples))
    found = require(samples, finite, f"{what} must be finite, got NaN or infinity")
    if not _is_ranged(kind):
        return found
    low, high = tf.reduce_min(found), tf.reduce_max(found)
    return require(
        found,
        (low >= 0.0) & (high <= 1.0),
        f"{what} must be in [0, 1] (divide those of [0, 255] by 255, and turn those of [-1, 1] "
        "into (x + 1) / 2; whatever else a network wants belongs inside it), got",
        low,
        "to",
        high,
    )


def _is_ranged(kind: Kind | None) -> bool:
    return isinstance(kind, Images)


def labels_of(labels: Any, num_classes: int | None, *, what: str = "labels") -> tf.Tensor:
    """Labels as class numbers, int32 (batch,).

    Args:
        labels: Whole numbers of any type, (batch,) or (batch, 1), or one-hot rows
            (batch, num_classes).
        num_classes: Number of classes; where `None`, any number from 0 on is one, and rows of
            several columns are one-hot.
        what: What the labels are called, for an error.

    Raises:
        ValueError: For another type or shape. For other values, when the graph runs.
    """
    if isinstance(labels, Mapping):
        raise ValueError(
            f"{what} must be one array or tensor, got a dict of {', '.join(map(str, labels))}: "
            "dataset.map(lambda samples, record: (samples, record[...]))."
        )
    found = tf.convert_to_tensor(labels)
    rank, columns = found.shape.rank, found.shape[-1] if found.shape.rank == 2 else None
    shown = f"class numbers (batch,) or one-hot rows (batch, {num_classes or 'classes'})"
    if not (found.dtype.is_integer or found.dtype.is_floating or found.dtype.is_bool):
        raise ValueError(f"{what} must be {shown}, got {found.dtype.name}.")
    if columns not in (None, 1) and num_classes in (None, columns):
        values = tf.cast(found, tf.float32)
        ones = tf.reduce_all((values == 0.0) | (values == 1.0), axis=1)
        one_hot = tf.reduce_all(ones & (tf.reduce_sum(values, axis=1) == 1.0))
        values = require(
            values, one_hot, f"{what} of {columns} columns must be one-hot rows, got", values[:1]
        )
        return tf.argmax(values, axis=1, output_type=tf.int32)
    if rank not in (None, 1) and (rank != 2 or columns not in (None, 1)):
        raise ValueError(f"{what} must be {shown}, got the shape {tuple(found.shape)}.")
    found = tf.reshape(found, [-1])
    if found.dtype.is_floating:
        whole = tf.reduce_all(found == tf.floor(found))
        found = require(found, whole, f"{what} must be whole numbers, got", found)
    numbers = tf.cast(found, tf.int64)
    if num_classes is None:
        allowed, fits = "at least 0", numbers >= 0
    else:
        allowed = f"in [0, {num_classes - 1}], counted from 0,"
        fits = (numbers >= 0) & (numbers < num_classes)
    # A graph shows the first values of a tensor alone, which may be right.
    ends = tf.reduce_min(numbers), "to", tf.reduce_max(numbers)
    numbers = require(numbers, tf.reduce_all(fits), f"{what} must be {allowed} got", *ends)
    return tf.cast(numbers, tf.int32)


def warn_of_labels(owner: str) -> None:
    """Says that labels are not used."""
    warnings.warn(
        f"labels are not used: this {owner} has no classes. Make it with num_classes to condition "
        "on them, or feed samples alone.",
        stacklevel=2,
    )


def require(value: tf.Tensor, fits: tf.Tensor, *told: Any) -> tf.Tensor:
    """The same tensor, which there is only where `fits` holds.

    Args:
        value: What is checked.
        fits: A scalar of bool.
        *told: The words of the error, and tensors whose values belong in it.

    Raises:
        ValueError: Where it does not hold; in a graph, when it runs, an assertion of these words.
    """
    if tf.executing_eagerly():
        if not fits:
            raise ValueError(" ".join(str(np.asarray(word)) for word in told) + ".")
        return value
    with tf.control_dependencies([tf.debugging.Assert(fits, list(told))]):
        return tf.identity(value)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Within it, an assertion that fails in a graph is a `ValueError` of its words."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        _, failed, rest = str(error.message).partition(_FAILED)
        if not failed:
            raise
        words = rest.splitlines()[0].rpartition("]")[0].replace("] [", " ").replace("\\'", "'")
        raise ValueError(f"{words.rstrip('.')}.") from error


def in_slices(data: Any, size: int = 4096) -> Iterator[Any]:
    """Arrays of equal length, a slice of rows after the other; nothing where there are others."""
    arrays = tf.nest.flatten(data)
    if not all(isinstance(one, np.ndarray) and one.ndim for one in arrays):
        return
    for start in range(0, len(arrays[0]), size):
        rows = slice(start, start + size)
        yield tf.nest.map_structure(lambda one: one[rows], data)  # noqa: B023


def _is_numbers(samples: Any) -> bool:
    """Whether a list holds numbers or lists of them, and no arrays."""
    return not isinstance(samples, Mapping) and not any(hasattr(one, "shape") for one in samples)


def _field(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((record[name] for name in names if name in record), None)


def _any_of(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + f" or {names[-1]}"
