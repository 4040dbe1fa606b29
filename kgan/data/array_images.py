"""Makes images of arrays, by the type of their values and by what is declared."""

from typing import NamedTuple

import numpy as np

from kgan.decoding.channels import batch_as
from kgan.decoding.reading import Reading
from kgan.decoding.resize import as_pair, resize_batch, resized_planes
from kgan.decoding.value_range import Span, span_of, told
from kgan.kinds import Images
from kgan.pixels import to_float, to_uint8

_BYTE = Span(0.0, 255.0)
_FULL = {"b": (0.0, 1.0), "u1": (0.0, 255.0), "u2": (0.0, 65535.0)}


class ArrayImages(NamedTuple):
    """Images of an array; the fields are those of a `Dataset`."""

    samples: np.ndarray
    kind: Images
    exact: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def images_of(
    what: str,
    array: np.ndarray,
    reading: Reading,
    *,
    extremes: tuple[float, float] | None = None,
) -> ArrayImages:
    """Images of an array (n, height, width, channels) of numbers.

    Whole numbers of 8 bits come out as uint8 as they are, floats as float32; whole numbers of more
    bits as uint8 rounded, with `exact` beside them.

    Args:
        what: The data; an error names them.
        array: Of bools, whole numbers or floats.
        reading: How to read them.
        extremes: The smallest and the largest value of the set that these are a part of, and which
            is known to be finite.
    """
    low, high = extremes or extremes_of(what, array)
    whole = array.dtype.kind in "biu"
    span = _span(what, array, low, high, reading) if len(array) else _BYTE
    images: np.ndarray
    floats: np.ndarray | None
    if whole and span == _BYTE and reading.value_range is None:
        images, floats = array.astype(np.uint8, copy=False), None
    else:
        scaled = np.empty(array.shape, np.float32)
        for image, values in zip(scaled, array, strict=True):
            image[:] = span.scaled(values)
        images = to_uint8(scaled) if whole else scaled
        # Two values, as of a mask, lose nothing by rounding.
        floats = None if array.dtype.kind in "bf" else scaled
    size = None if reading.image_size is None else as_pair(reading.image_size)
    if size is not None and images.shape[1:3] != size:
        images, floats = _resized(images, floats, reading)
    images = batch_as(images, reading.channels, what=what)
    floats = None if floats is None else batch_as(floats, reading.channels, what=what)
    height, width, channels = images.shape[1:]
    declared = None if reading.value_range is None else (span.low, span.high)
    kind = Images(height, width, channels, value_range=declared, shown=reading.shown)
    return ArrayImages(images, kind, floats, tuple(told(span, reading.value_range, low, high)))


def extremes_of(what: str, array: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest value of an array.

    Raises:
        ValueError: Where values are NaN or infinite.
    """
    low, high = (array.min(), array.max()) if len(array) else (0, 0)
    if array.dtype.kind == "f":
        # As float32, which rounds what computing left a little above 1.
        low, high = np.float32(low), np.float32(high)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise ValueError(f"samples of {what} hold {bad} values that are NaN or infinite.")
    return float(low), float(high)


def _span(what: str, array: np.ndarray, low: float, high: float, reading: Reading) -> Span:
    kind = array.dtype.kind
    full = _FULL.get("b" if kind == "b" else f"{kind}{array.dtype.itemsize}")
    if full is None and kind in "iu" and low >= 0 and high <= 255:
        full = (0.0, 255.0)
    return span_of(
        what,
        low,
        high,
        full=full,
        has_spare_bits=full == (0.0, 65535.0),
        whole=kind in "biu",
        declared=reading.value_range,
    )


def _resized(
    images: np.ndarray, floats: np.ndarray | None, reading: Reading
) -> tuple[np.ndarray, np.ndarray | None]:
    """Bytes of one channel or three as pictures are resized, all else in floats."""
    if images.dtype == np.uint8 and floats is None and images.shape[-1] in (1, 3):
        return resize_batch(images, reading.image_size, reading.resize, reading.colour), None
    deep = to_float(images) if floats is None else floats
    fill = reading.fill(images.shape[-1])
    done = np.stack(
        [_filled(resized_planes(one, reading.image_size, reading.resize), fill) for one in deep]
    )
    if images.dtype != np.uint8:
        return done, None
    return to_uint8(done), None if floats is None else done


def _filled(image: np.ndarray, fill: np.ndarray) -> np.ndarray:
    # Bicubic filters swing beyond the values.
    return np.clip(np.where(np.isnan(image), fill, image), 0.0, 1.0)
