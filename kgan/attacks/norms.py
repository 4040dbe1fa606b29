"""Balls, their projections, steepest directions and random points, for linf, l2 and l1.

All functions take batches of images (the first axis is the example) and treat each example
independently. Radii are scalars or tensors of shape (batch,); in linf they may also differ between
the values of an image, as tensors that broadcast against (batch, ...).
"""

import math

import tensorflow as tf

from kgan.attacks import example_random

NORMS = ("linf", "l2", "l1")
# Those and the number of values that changed, which only the sparse attacks know.
ALL_NORMS = (*NORMS, "l0")
# The dual of each norm: the norm of a gradient that bounds the change of the loss over a ball.
DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}
_TINY = 1e-12


def per_example(values: tf.Tensor | float, like: tf.Tensor) -> tf.Tensor:
    """Reshapes (batch,) to (batch, 1, ..., 1) so that it broadcasts against `like`.

    Scalars, and tensors with all of the axes of `like`, come back as they are.
    """
    values = tf.convert_to_tensor(values, like.dtype if like.dtype.is_floating else None)
    if values.shape.rank in (0, like.shape.rank):
        return values
    return tf.reshape(values, [-1] + [1] * (like.shape.rank - 1))


def rows_of(values: tf.Tensor | float, like: tf.Tensor) -> tf.Tensor:
    """A scalar as (batch,), one for each example of `like`; other tensors as they are."""
    values = tf.convert_to_tensor(values, tf.float32)
    return tf.fill(tf.shape(like)[:1], values) if values.shape.rank == 0 else values


def flatten(images: tf.Tensor) -> tf.Tensor:
    """(batch, ...) to (batch, values)."""
    shape = example_random.shape_of(images)
    size = tf.reduce_prod(shape) if tf.is_tensor(shape) else math.prod(shape)
    return tf.reshape(images, [-1, size])


def masked(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """The values, with zero where the bool `mask` is False; all of them if there is no mask."""
    return values if mask is None else tf.where(mask, values, 0.0)


def choose(condition: tf.Tensor, chosen: tf.Tensor, otherwise: tf.Tensor) -> tf.Tensor:
    """For each example, `chosen` if its `condition` (batch,) holds, else `otherwise`."""
    # Select copies whole rows; tf.where would broadcast the condition, at several times the cost.
    return tf.raw_ops.Select(condition=condition, x=chosen, y=otherwise)


def length(change: tf.Tensor, norm: str) -> tf.Tensor:
    """The norm of each example's change.

    Args:
        change: float32 tensor of shape (batch, ...).
        norm: "linf", "l2", "l1", or "l0" (the number of values that changed).

    Returns:
        float32 tensor of shape (batch,).
    """
    flat = tf.abs(flatten(change))
    if norm == "linf":
        return tf.reduce_max(flat, axis=1)
    if norm == "l2":
        return tf.sqrt(tf.reduce_sum(tf.square(flat), axis=1))
    if norm == "l1":
        return tf.reduce_sum(flat, axis=1)
    if norm == "l0":
        return tf.math.count_nonzero(flat, axis=1, dtype=tf.float32)
    raise ValueError(f"norm must be 'linf', 'l2', 'l1' or 'l0', got {norm!r}.")


def normalize(change: tf.Tensor, norm: str) -> tf.Tensor:
    """Scales the change of each example to length one; a zero change stays zero."""
    # Squares of small numbers are 0 in float32, so the largest value becomes 1 first.
    largest = length(change, "linf")
    unit = change / per_example(tf.where(largest > 0.0, largest, 1.0), change)
    return unit if norm == "linf" else unit / per_example(tf.maximum(length(unit, norm), 1.0), unit)


def keep_largest(change: tf.Tensor, count: tf.Tensor | float) -> tf.Tensor:
    """Sets all but the `count` values of largest size to zero: the projection onto an l0 ball.

    Args:
        change: float32 tensor of shape (batch, ...).
        count: Number of values to keep, rounded down; a scalar or (batch,).

    Returns:
        float32 tensor like `change`; of equal values those that come first are kept.
    """
    size = tf.abs(flatten(change))
    order = tf.argsort(size, axis=1, direction="DESCENDING", stable=True)
    rank = tf.cast(tf.argsort(order, axis=1), tf.float32)
    count = tf.reshape(tf.floor(tf.convert_to_tensor(count, tf.float32)), [-1, 1])
    return change * tf.reshape(tf.cast(rank < count, change.dtype), tf.shape(change))


def project(
    images: tf.Tensor, original: tf.Tensor, epsilon: tf.Tensor | float, norm: str
) -> tf.Tensor:
    """Maps images into the ball of radius `epsilon` around `original` and into [0, 1].

    For linf and l1 this is the exact Euclidean projection onto the intersection; for l2 the
    radial projection followed by the box, which cannot leave the ball again. In l0 the `epsilon`
    largest changes stay; images must lie in the box already.
    """
    change = images - original
    if norm == "linf":
        epsilon = per_example(epsilon, images)
        return tf.clip_by_value(
            tf.clip_by_value(images, original - epsilon, original + epsilon), 0.0, 1.0
        )
    if norm == "l2":
        scale = tf.minimum(1.0, epsilon / tf.maximum(length(change, norm), _TINY))
        return tf.clip_by_value(original + change * per_example(scale, images), 0.0, 1.0)
    if norm == "l0":
        return original + keep_largest(change, epsilon)
    return original + project_l1(change, original, epsilon)


def project_l1(change: tf.Tensor, original: tf.Tensor, epsilon: tf.Tensor | float) -> tf.Tensor:
    """The exact projection of a change onto the l1 ball and the box, as a change.

    The solution is `sign(d) * min(max(|d| - t, 0), room)`, where `room` is how far a value can
    move before it meets the box and t >= 0 makes the l1 norm meet `epsilon` (t = 0 if it is
    inside already). The norm is piecewise linear in t with kinks at |d| and at |d| - room: sort
    the kinks, find the segment, interpolate.

    Args:
        change: float32 tensor of shape (batch, ...).
        original: The images, in [0, 1].
        epsilon: Radius, a scalar or (batch,).

    Returns:
        The projected change, same shape.
    """
    wanted, start = flatten(change), flatten(original)
    size = tf.abs(wanted)
    room = tf.where(wanted > 0, 1.0 - start, start)
    clipped = tf.minimum(size, room)
    radius = rows_of(epsilon, clipped)
    inside = tf.reduce_sum(clipped, axis=1) <= radius
    # The sort is most of the work, and none is needed if only the box is in the way.
    threshold = tf.cond(
        tf.reduce_all(inside),
        lambda: tf.zeros_like(radius),
        lambda: tf.where(inside, 0.0, _threshold(size, room, radius)),
    )
    projected = tf.minimum(tf.maximum(size - threshold[:, None], 0.0), room)
    # Rounding may leave the sum a few units in the last place outside the ball.
    excess = tf.reduce_sum(projected, axis=1) / tf.maximum(radius, _TINY)
    projected /= tf.maximum(excess, 1.0)[:, None]
    return tf.reshape(tf.sign(wanted) * projected, tf.shape(change))


def _threshold(size: tf.Tensor, room: tf.Tensor, radius: tf.Tensor) -> tf.Tensor:
    """The t at which `sum(min(max(size - t, 0), room))` is the radius, (batch,), at least 0."""
    # As t falls from the largest kink, the slope grows by one at |d| and drops at |d| - room.
    kinks = tf.concat([size, tf.maximum(size - room, 0.0)], axis=1)
    slopes = tf.concat([tf.ones_like(size), -tf.ones_like(size)], axis=1)
    order = tf.argsort(kinks, axis=1, direction="DESCENDING", stable=True)
    kinks = tf.gather(kinks, order, batch_dims=1)
    slope = tf.cumsum(tf.gather(slopes, order, batch_dims=1), axis=1)
    gaps = kinks[:, :-1] - kinks[:, 1:]
    norm = tf.pad(tf.cumsum(slope[:, :-1] * gaps, axis=1), [[0, 0], [1, 0]])
    # The last kink at which the norm is still within the radius, and the rest from there.
    segment = tf.reduce_sum(tf.cast(norm <= radius[:, None], tf.int32), axis=1) - 1
    segment = tf.maximum(segment, 0)

    def pick(values):
        return tf.gather(values, segment, batch_dims=1)

    missing = radius - pick(norm)
    return tf.maximum(pick(kinks) - missing / tf.maximum(pick(slope), 1.0), 0.0)


def steepest(
    gradient: tf.Tensor, images: tf.Tensor, step_size: tf.Tensor | float, norm: str
) -> tf.Tensor:
    """The change of length `step_size`, a radius, that ascends a linear loss fastest.

    linf: the sign; l2: the normalised gradient; l1: the values with the largest gradients move to
    the edge of the box, one after the other, until `step_size` is used up. This is the exact
    maximiser over ball and box; without the box, a single value would move.
    """
    if norm == "linf":
        return per_example(step_size, gradient) * tf.sign(gradient)
    if norm == "l2":
        return per_example(step_size, gradient) * normalize(gradient, norm)
    slope, values = flatten(gradient), flatten(images)
    room = tf.where(slope > 0, 1.0 - values, values) * tf.abs(tf.sign(slope))
    order = tf.argsort(tf.abs(slope), axis=1, direction="DESCENDING", stable=True)
    room_sorted = tf.gather(room, order, batch_dims=1)
    spent_before = tf.cumsum(room_sorted, axis=1, exclusive=True)
    moves = tf.clip_by_value(per_example(step_size, slope) - spent_before, 0.0, room_sorted)
    moves = tf.gather(moves, tf.argsort(order, axis=1), batch_dims=1)
    return tf.reshape(tf.sign(slope) * moves, tf.shape(gradient))


def random_point(
    original: tf.Tensor,
    keys: tf.Tensor,
    epsilon: tf.Tensor | float,
    norm: str,
    step: tf.Tensor | int = 0,
    mask: tf.Tensor | None = None,
) -> tf.Tensor:
    """A point drawn uniformly from the ball of radius `epsilon`, then clipped to [0, 1].

    With a `mask`, bool (batch, ...), only the values where it is True are changed, and the ball is
    that of these values.
    """
    change = random_change(original, keys, epsilon, norm, "start", step, mask)
    return tf.clip_by_value(original + change, 0.0, 1.0)


def random_change(
    original: tf.Tensor,
    keys: tf.Tensor,
    epsilon: tf.Tensor | float,
    norm: str,
    what: str,
    step: tf.Tensor | int = 0,
    mask: tf.Tensor | None = None,
) -> tf.Tensor:
    """A change drawn uniformly from the ball of radius `epsilon`; `what` names the draw."""
    shape = example_random.shape_of(original)
    epsilon = per_example(epsilon, original)
    size: tf.Tensor | int = (
        tf.cast(tf.reduce_prod(shape), tf.float32) if tf.is_tensor(shape) else math.prod(shape)
    )
    if mask is not None:
        size = tf.maximum(tf.reduce_sum(tf.cast(flatten(mask), tf.float32), axis=1), 1.0)
    if norm == "linf":
        change = epsilon * (2.0 * example_random.uniform(keys, shape, what, step) - 1.0)
        change = masked(change, mask)
    else:
        # Uniform in a ball of dimension n: a uniform direction times U^(1/n).
        if norm == "l2":
            direction = example_random.normal(keys, shape, what, step)
        else:
            exponential = -tf.math.log(example_random.uniform(keys, shape, what, step))
            direction = exponential * example_random.signs(keys, shape, f"{what} sign", step)
        direction = masked(direction, mask)
        radius = example_random.uniform(keys, (), f"{what} radius", step) ** (1.0 / size)
        change = epsilon * per_example(radius, original) * normalize(direction, norm)
    return change
