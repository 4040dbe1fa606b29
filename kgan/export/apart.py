"""Whether an endpoint answers each row apart from the others, tried where nothing else shows it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.endpoints import Endpoint

# A batch of another size is computed in another order: far less than this, of values about 1.
_ROUNDING = 1e-3


def all_known(tracked: Sequence[Any]) -> bool:
    """Whether networks are made of kgan's layers and Keras's alone, which keep rows apart.

    A layer, an operation or a function of somebody else's may look at the whole batch.
    """
    return all(map(_is_known, _parts(tracked)))


def keeps_rows_apart(endpoint: Endpoint, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a row's answer is the same alone and beside others; not where no trial is answered.

    Args:
        endpoint: The endpoint.
        shapes: Of each input, with several rows.
    """
    # Whole numbers may be labels, of which there may be two, or one.
    for most in (None, 2, 1):
        try:
            return _keeps_apart(endpoint, shapes, most)
        except tf.errors.InvalidArgumentError:
            continue
    return False


def _keeps_apart(
    endpoint: Endpoint, shapes: Mapping[str, tuple[int, ...]], most: int | None
) -> bool:
    random = np.random.default_rng(0)
    request = {}
    for name, shape in shapes.items():
        dtype = endpoint.inputs[name].dtype
        if dtype.is_floating:
            request[name] = tf.constant(random.random(shape), dtype)
        elif dtype.is_integer:
            numbers = np.arange(math.prod(shape)) % (most or shape[0])
            request[name] = tf.constant(numbers.reshape(shape), dtype)
        else:
            request[name] = tf.zeros(shape, dtype)
    rows = next(iter(shapes.values()))[0]
    together = endpoint.function(request)
    alone = endpoint.function({name: array[:1] for name, array in request.items()})
    return all(_is_alike(np.asarray(one), np.asarray(together[name]), rows)
               for name, one in alone.items())  # fmt: skip


def _is_alike(alone: np.ndarray, together: np.ndarray, rows: int) -> bool:
    """Whether one answer is the first of several."""
    if together.shape[:1] != (rows,) or alone.shape != (1, *together.shape[1:]):
        return False
    if not np.issubdtype(together.dtype, np.floating):
        return bool((alone == together[:1]).all())
    wide = alone.astype(np.float64), together[:1].astype(np.float64)
    return np.allclose(*wide, rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True)


def _parts(tracked: Sequence[Any]) -> Iterator[Any]:
    for network in tracked:
        if isinstance(network, keras.Variable):
            continue
        if not isinstance(network, keras.Layer):
            yield network
            continue
        for layer in network._flatten_layers():
            yield layer
            yield from getattr(layer, "operations", ())


def _is_known(part: Any) -> bool:
    module = type(part).__module__
    if isinstance(part, keras.layers.Lambda):
        return False
    return module.startswith(("kgan.", "keras.src.layers.", "keras.src.models."))
