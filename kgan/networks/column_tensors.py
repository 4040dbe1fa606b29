"""Values of a single column in a graph: as networks see them, and as the column holds them."""

from typing import Any

import numpy as np
import tensorflow as tf

from kgan.networks import date_texts
from kgan.rows import Category, Date, Integer, Number


def known_values(column: Any, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Values as float64 (n,), steps of dates, and which are missing: these are not to be used."""
    if isinstance(column, Date):
        gone = tf.equal(values, date_texts.NAT)
        there = tf.where(gone, tf.constant(column.low * column.step, tf.int64), values)
        return tf.cast(tf.math.floordiv(there, column.step), tf.float64), gone
    wide = tf.cast(values, tf.float64)
    return wide, wide != wide


def values_of(column: Category) -> tf.Tensor:
    """The categories, string or int64."""
    kind = tf.string if column.dtype == object else tf.int64
    return tf.constant(column.values, kind)


def one_hot(column: Category, values: tf.Tensor) -> tf.Tensor:
    """One-hot vectors float64 (n, categories); the graph fails on a value that is none of them."""
    known = values_of(column)
    equal = tf.equal(values[:, None], known)
    check = tf.debugging.Assert(
        tf.reduce_all(tf.reduce_any(equal, axis=1)),
        [f"column {column.name!r} must be one of its {len(column.values)} categories, got", values],
    )
    with tf.control_dependencies([check]):
        return tf.cast(equal, tf.float64)


def decoded_number(
    column: Number | Integer | Date, values: tf.Tensor, gone: tf.Tensor
) -> tf.Tensor:
    """Values float64 (n,) as the column holds them: rounded, within what was seen, or missing."""
    if isinstance(column, Date):
        steps = tf.cast(tf.clip_by_value(tf.round(values), column.low, column.high), tf.int64)
        return tf.where(gone, tf.constant(date_texts.NAT), steps * column.step)
    if isinstance(column, Integer):
        whole = tf.clip_by_value(tf.round(values), column.low, column.high)
        if column.missing:
            return tf.where(gone, tf.constant(np.nan, tf.float64), whole)
        return tf.cast(whole, tf.int64)
    if column.decimals is not None:
        factor = 10.0**column.decimals
        values = tf.round(values * factor) / factor
    found = tf.cast(tf.clip_by_value(values, column.low, column.high), tf.float32)
    return tf.where(gone, tf.constant(np.nan, tf.float32), found) if column.missing else found


def as_tensor(values: np.ndarray) -> tf.Tensor:
    """A column in memory as a tensor; dates as int64 microseconds since 1970."""
    if values.dtype == object:
        return tf.constant(values.tolist())
    return tf.constant(values.astype(np.int64) if values.dtype.kind == "M" else values)
