"""The smallest change, inside the box, that reaches a hyperplane."""

import tensorflow as tf

_TINY = 1e-12


def reach(
    points: tf.Tensor,
    normal: tf.Tensor,
    gap: tf.Tensor,
    norm: str,
    scale: tf.Tensor | None = None,
) -> tf.Tensor:
    """Solves `min ||d||` subject to `normal . (points + d) = normal . points - gap`, box [0, 1].

    After flipping signs so that the gap is positive, value i moves against its weight by
    `min(t * r_i, room_i)`, with r = 1 (or `scale`) for linf, r = |w| for l2, and the smallest t
    that closes the gap; in l1 the values with the largest weights move to the edge of the box one
    after the other.

    The closed part of the gap is a concave, piecewise linear function of t, so Newton's method from
    t = 0 never overshoots and reaches the exact t in a few steps, without a sort.

    Args:
        points: float32 tensor of shape (batch, values) in [0, 1].
        normal: The hyperplane's weights, of the same shape.
        gap: Amount by which `normal . points` must fall (or rise, if negative), shape (batch,).
        norm: "linf", "l2" or "l1".
        scale: In linf, the unit in which each value's change is measured, of the shape of `points`;
            a value whose unit is 0 does not move.

    Returns:
        The change d, of the shape of `points`. If the plane does not meet the box, every value
        moves to the edge of the box.

    Reference:
        Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
        attack", 2020, eq. 5 and section 3.1.
    """
    side = tf.where(gap >= 0, 1.0, -1.0)
    normal *= side[:, None]
    gap *= side
    weight, down = tf.abs(normal), normal > 0
    room = tf.where(down, points, 1.0 - points)
    if norm != "l2":
        # A value without weight would otherwise move with the others, to no effect.
        room = tf.where(weight > 0, room, 0.0)
    if norm == "linf":
        time = _time(weight, scale, room, gap)[:, None]
        moves = tf.minimum(time if scale is None else time * scale, room)
    elif norm == "l2":
        moves = tf.minimum(_time(weight, weight, room, gap)[:, None] * weight, room)
    else:
        moves = _largest_first(weight, room, gap)
    return tf.where(down, -moves, moves)


def _time(weight: tf.Tensor, rate: tf.Tensor | None, room: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
    """The t that closes the gap, if every value moves at its rate (1 if None) within its room."""
    closing = weight if rate is None else weight * rate

    def slope(free: tf.Tensor) -> tf.Tensor:
        zeros = tf.zeros_like(closing)
        return tf.reduce_sum(tf.raw_ops.Select(condition=free, x=closing, y=zeros), axis=1)

    def step(t, moving):
        wanted = t[:, None] if rate is None else t[:, None] * rate
        missing = gap - tf.reduce_sum(weight * tf.minimum(wanted, room), axis=1)
        rise = slope(room > wanted)
        longer = t + missing / tf.maximum(rise, _TINY)
        moving &= (rise > 0) & (longer > t * (1.0 + 1e-6))
        return tf.where(moving, longer, t), moving

    # At t = 0 every value is free to move, so the first step needs no loop.
    first = gap / tf.maximum(slope(room > 0), _TINY)
    t, _ = tf.while_loop(
        lambda t, moving: tf.reduce_any(moving), step, (first, gap > 0), maximum_iterations=64
    )
    return t


def _largest_first(weight: tf.Tensor, room: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
    order = tf.argsort(weight, axis=1, direction="DESCENDING", stable=True)
    sorted_weight = tf.gather(weight, order, batch_dims=1)
    sorted_room = tf.gather(room, order, batch_dims=1)
    closed_before = tf.cumsum(sorted_weight * sorted_room, axis=1, exclusive=True)
    wanted = (gap[:, None] - closed_before) / tf.maximum(sorted_weight, _TINY)
    moves = tf.clip_by_value(wanted, 0.0, sorted_room)
    return tf.gather(moves, tf.argsort(order, axis=1), batch_dims=1)
