"""Adversarial images of 8 bits a value: rounding that stays in the ball, and rounding that fools.

The grid is k / 255 for k from 0 to 255, as a PNG holds it. Clean images must lie on it, so that a
value which does not change keeps its exact value, and rounding towards the clean image can only
shorten a change, in every norm.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kgan.attacks.norms import choose, flatten, length, per_example

LEVELS = 255
# Shares of a level within which a float32 value counts as on the grid.
_ON_GRID = 1e-3
# By which factors a change is lengthened, one after the other, until its rounded image fools.
_LONGER = (1.0, 1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 4.0)
# Halvings that find how many values to round away from the clean image.
_HALVINGS = 16


def check_on_grid(images: np.ndarray) -> None:
    """Raises `ValueError` unless all images are uint8 or have values of k / 255."""
    if images.dtype == np.uint8:
        return
    levels = images * np.float32(LEVELS)
    off = np.abs(levels - np.round(levels)) > _ON_GRID
    if off.any():
        raise ValueError(
            "adversarial images of 8 bits need clean images of 8 bits, got a value of "
            f"{images[off][0]:.6g}, no multiple of 1/255. Round them: np.round(images * 255) / 255."
        )


def rounded(
    images: tf.Tensor,
    original: tf.Tensor,
    epsilon: tf.Tensor | None = None,
    norm: str | None = None,
) -> tf.Tensor:
    """Rounds to the nearest value of the grid that keeps the image in its ball.

    Args:
        images: float32 tensor of shape (batch, ...), in the ball.
        original: The clean images, on the grid.
        epsilon: Radius of the ball (see `norms`); no ball if `None`.
        norm: "linf", "l2" or "l1". In linf each value is rounded within its interval. In l2 and l1
            an example whose nearest image lies outside of the ball is rounded towards the clean
            image.

    Returns:
        float32 tensor like `images`.
    """
    clean = tf.round(original * LEVELS)
    nearest = tf.round(images * LEVELS)
    if epsilon is not None and norm == "linf":
        # A radius of 8/255 in float32 may be a little less than eight levels.
        reach = tf.floor(per_example(epsilon, images) * LEVELS + 1e-4)
        nearest = tf.clip_by_value(nearest, clean - reach, clean + reach)
    elif epsilon is not None and norm is not None:
        inside = length((nearest - clean) / LEVELS, norm) <= epsilon * (1.0 + 1e-6)
        nearest = choose(inside, nearest, _between(images, clean)[0])
    return _values(nearest, clean, original)


def _between(images: tf.Tensor, clean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two levels around each value: the one towards the clean level, and the one away."""
    levels = images * LEVELS
    nearest = tf.round(levels)
    levels = tf.where(tf.abs(levels - nearest) < _ON_GRID, nearest, levels)
    low, high = tf.floor(levels), tf.math.ceil(levels)
    up = levels >= clean
    return tf.where(up, low, high), tf.where(up, high, low)


def _values(levels: tf.Tensor, clean: tf.Tensor, original: tf.Tensor) -> tf.Tensor:
    # A table rather than a division, which a graph may replace by a product that rounds otherwise.
    table = tf.constant(np.arange(LEVELS + 1, dtype=np.float32) / np.float32(LEVELS))
    return tf.where(levels == clean, original, tf.gather(table, tf.cast(levels, tf.int32)))


def fooling(
    images: tf.Tensor,
    original: tf.Tensor,
    wanted: tf.Tensor,
    fooled: Callable[[tf.Tensor], tf.Tensor],
    *,
    gradient: tf.Tensor | None = None,
    epsilon: tf.Tensor | None = None,
    norm: str | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Rounds images that fool so that they still do, with about the smallest change.

    Every value that changed is rounded towards the clean image, then as few as possible are rounded
    away from it: those first that raise the lead most by the gradient, or that lost most without
    one. Bisection finds how many. If all of them do not suffice, the change is lengthened.

    Args:
        images: float32 tensor of shape (batch, ...): images that fool, in the ball.
        original: The clean images, on the grid.
        wanted: Which examples to round, bool (batch,).
        fooled: Function from images to whether each fools, bool (batch,).
        gradient: Gradient of the lead (what grows as an image fools) at the images.
        epsilon: Radius of the ball; no ball if `None`.
        norm: Norm of the ball.

    Returns:
        The rounded images, and whether they fool, bool (batch,); the clean image where they do
        not or were not wanted.
    """
    size = flatten(images).shape[1]
    clean = tf.round(original * LEVELS)

    def ways(longer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Levels towards and away, each value's place in the order, and how many may be away."""
        target = tf.clip_by_value(
            original + per_example(longer, images) * (images - original), 0, 1
        )
        towards, away = _between(target, clean)
        if gradient is None:
            worth = tf.abs(target * LEVELS - towards)
        else:
            # Away from the clean level is not always where the lead grows; then it stays.
            worth = tf.maximum(gradient * (away - towards), 0.0)
        allowed = towards != away
        if epsilon is not None and norm == "linf":
            reach = tf.floor(per_example(epsilon, images) * LEVELS + 1e-4)
            towards = tf.clip_by_value(towards, clean - reach, clean + reach)
            away = tf.clip_by_value(away, clean - reach, clean + reach)
        worth = flatten(tf.where(allowed, worth, 0.0))
        order = tf.argsort(worth, axis=1, direction="DESCENDING", stable=True)
        place = tf.reshape(tf.argsort(order, axis=1), tf.shape(images))
        most = tf.reduce_sum(tf.cast(worth > 0.0, tf.int32), axis=1)
        if epsilon is not None and norm in ("l2", "l1"):
            most = tf.minimum(most, _room(towards - clean, away - clean, order, epsilon, norm))
        return towards, away, place, most

    def at(count: tf.Tensor, way: tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        towards, away, place, _ = way
        levels = tf.where(place < per_example(count, place), away, towards)
        return _values(levels, clean, original)

    def fools(count: tf.Tensor, way: tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]):
        return fooled(at(count, way)) & (count >= 0)

    # The shortest change that fools with all of its values rounded away.
    factors = tf.constant(_LONGER)

    def lengthen(i, longer, found):
        tried = tf.where(found, longer, factors[i])
        way = ways(tried)
        return i + 1, tried, found | fools(way[3], way)

    _, longer, found = tf.while_loop(
        lambda i, longer, found: (i < len(_LONGER)) & ~tf.reduce_all(found),
        lengthen,
        (tf.constant(0), tf.ones_like(wanted, tf.float32), ~wanted),
    )
    found &= wanted
    way = ways(longer)

    def halve(i, low, high):
        middle = (low + high) // 2
        enough = fools(middle, way)
        return i + 1, tf.where(enough, low, middle + 1), tf.where(enough, middle, high)

    _, _, count = tf.while_loop(
        lambda i, low, high: (i < min(_HALVINGS, size.bit_length())) & tf.reduce_any(low < high),
        halve,
        (tf.constant(0), tf.zeros_like(way[3]), way[3]),
    )
    return choose(found, at(count, way), original), found


def _room(
    towards: tf.Tensor, away: tf.Tensor, order: tf.Tensor, epsilon: tf.Tensor, norm: str
) -> tf.Tensor:
    """How many values, in this order, can be `away` inside of the ball; -1 if none fits at all."""
    power = 1.0 if norm == "l1" else 2.0
    near, far = (tf.abs(flatten(levels / LEVELS)) ** power for levels in (towards, away))
    growth = tf.cumsum(tf.gather(far - near, order, batch_dims=1), axis=1)
    total = tf.reduce_sum(near, axis=1, keepdims=True) + tf.pad(growth, [[0, 0], [1, 0]])
    inside = total <= tf.reshape(epsilon**power, [-1, 1]) * (1.0 + 1e-6)
    # The sum grows with each value, so those inside come first.
    return tf.reduce_sum(tf.cast(inside, tf.int32), axis=1) - 1
