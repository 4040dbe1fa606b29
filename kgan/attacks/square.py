"""Square attack: a random search over squares that uses only the model's outputs."""

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import example_random, loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_norm, check_radii
from kgan.attacks.norms import choose, length, masked, normalize, per_example, project_l1
from kgan.attacks.victim import Victim
from kgan.models.norm_ball import usual_radius
from kgan.random import check_seed

# Queries, of 10,000, after which the share of changed values is halved.
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@keras.saving.register_keras_serializable(package="kgan")
class Square(Attack):
    """Changes random squares and keeps changes that lower the margin; needs no gradient.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1], or an array of radii; see `PGD`,
            also for `None`.
        norm: "linf", "l2" or "l1".
        steps: Number of queries for each image.
        share: Share of an image that the first squares change (p), in (0, 1].
        rescale: Whether the schedule that shrinks the squares is stretched to `steps`; False keeps
            the schedule for 10,000 queries, as AutoAttack does.
        restarts: Number of starts for images that are not fooled.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the search, an int.

    Reference:
        Andriushchenko et al., "Square attack: a query-efficient black-box adversarial attack via
        random search", 2020, algorithms 1 to 3.
        Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks", 2021, appendix A.2
        (l1).
    """

    category = "black-box"
    needs = "scores"
    needs_pixels = True
    takes_arrays = True
    tensors: tuple[str, ...] = ("epsilon", "steps", "restarts", "share", "seed")

    def __init__(
        self,
        epsilon: float | np.ndarray | None = None,
        *,
        norm: str = "linf",
        steps: int = 5000,
        share: float = 0.8,
        rescale: bool = True,
        restarts: int = 1,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radii("epsilon", usual_radius(epsilon, norm), norm)
        self.steps = check_count("steps", steps)
        if not 0 < share <= 1:
            raise ValueError(f"share must be in (0, 1], got {share}.")
        self.share = float(share)
        self.rescale = rescale
        self.restarts = check_count("restarts", restarts)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        if self.norm != "linf" and min(shape[:2]) < 5:
            raise ValueError(f"Square in {self.norm} needs images of at least 5 x 5, got {shape}.")

    def _attack(self, batch: AttackBatch) -> State:
        if self.norm == "linf":
            sides = self._stripes(batch)
            reach = masked(per_example(self.epsilon, batch.images), batch.mask)
            low = tf.maximum(batch.images - reach, 0.0)
            high = tf.minimum(batch.images + reach, 1.0)
            memory = {"sides": sides, "low": low, "high": high}
            start = tf.raw_ops.Select(condition=sides, x=high, y=low)
        else:
            start = self._tiles(batch)
            memory = {"images": start}
        state = batch.start(**memory)
        logits = batch.logits(start)
        state = batch.record(state, start, logits)
        state["gain"] = batch.gain(logits, batch.labels)

        def step(i: tf.Tensor, state: State) -> State:
            move = self._square if self.norm == "linf" else self._two_windows
            images, new = move(state, i, self._side(i, batch.images.shape), batch.attempt)
            logits = batch.logits(images)
            gain = batch.gain(logits, state["labels"])
            better = (gain > state["gain"]) | (gain >= 0.0)
            state = batch.record(state, images, logits)
            return {
                **state,
                **{name: choose(better, value, state[name]) for name, value in new.items()},
                "gain": tf.where(better, gain, state["gain"]),
            }

        return loop.run(step, state, self.steps)

    def _side(self, i: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
        """The square's side at query i."""
        height, width = shape[1], shape[2]
        query = tf.cast(i, tf.float32)
        if self.rescale:
            query = tf.floor(query / tf.cast(self.steps, tf.float32) * 10000.0)
        halvings = tf.reduce_sum(tf.cast(query > tf.constant(_HALVINGS, tf.float32), tf.float32))
        share = self.share / 2.0**halvings
        side = tf.cast(tf.round(tf.sqrt(share * float(height * width))), tf.int32)
        if self.norm != "linf":
            side = tf.maximum(side, 3)
            side += 1 - side % 2
        return tf.clip_by_value(side, 1, min(height, width))

    def _corner(
        self, state: State, i: tf.Tensor, side: tf.Tensor, attempt: tf.Tensor, purpose: str
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Each example's random window, as its first row and column."""
        height, width = state["original"].shape[1:3]
        step = i + attempt * self.steps
        where = example_random.uniform(state["keys"], (2,), purpose, step)
        # In the authors' code no window reaches the last row and column. In l1, where most of a
        # change lies in the middle of its window, this finds more.
        last = 0 if self.norm == "l1" else 1
        free = tf.cast(tf.stack([height - side + last, width - side + last]), tf.float32)
        corner = tf.cast(where * free, tf.int32)
        return corner[:, 0], corner[:, 1]

    def _stripes(self, batch: AttackBatch) -> tf.Tensor:
        """The linf start: vertical stripes, each at the ball's upper (True) or lower edge."""
        _, height, width, channels = batch.images.shape
        stripes = (
            example_random.signs(batch.keys, (1, width, channels), "stripes", batch.attempt) > 0
        )
        return tf.tile(stripes, [1, height, 1, 1])

    def _square(
        self, state: State, i: tf.Tensor, side: tf.Tensor, attempt: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Moves a square to one edge of the ball; every value always lies at an edge."""
        sides = state["sides"]
        top, left = self._corner(state, i, side, attempt, "corner")
        inside = window(top, left, side, sides.shape)
        step = i + attempt * self.steps
        upper = example_random.signs(state["keys"], (1, 1, sides.shape[3]), "signs", step) > 0
        sides = (sides & ~inside) | (inside & upper)
        images = tf.raw_ops.Select(condition=sides, x=state["high"], y=state["low"])
        return images, {"sides": sides}

    def _tiles(self, batch: AttackBatch) -> tf.Tensor:
        """The start in l2 and l1: a tiling with patterns of random sign and orientation."""
        shape = batch.images.shape
        side = shape[1] // 5
        first = (shape[1] - 5 * side) // 2
        tops = range(first, shape[1] - side + 1, side)
        lefts = range(first, shape[2] - side + 1, side)
        count = len(tops) * len(lefts)
        signs = example_random.signs(batch.keys, (count, shape[3]), "tile signs", batch.attempt)
        turns = example_random.uniform(batch.keys, (count,), "tile turns", batch.attempt) < 0.5
        change = tf.zeros_like(batch.images)
        for tile, (top, left) in enumerate((top, left) for top in tops for left in lefts):
            corner = tf.fill([1], top), tf.fill([1], left)
            tiles = pattern(*corner, tf.constant(side), turns[:, tile], shape, self.norm)
            change += tiles * signs[:, tile, None, None, :]
        return self._in_ball(masked(change, batch.mask), batch.images, self.epsilon)

    def _in_ball(self, change: tf.Tensor, original: tf.Tensor, epsilon: tf.Tensor) -> tf.Tensor:
        """The image with this change: scaled to the radius in l2, projected to the ball in l1."""
        if self.norm == "l1":
            return original + project_l1(change, original, epsilon)
        moved = original + per_example(epsilon, change) * normalize(change, "l2")
        return tf.clip_by_value(moved, 0.0, 1.0)

    def _two_windows(
        self, state: State, i: tf.Tensor, side: tf.Tensor, attempt: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Moves the change of one window, and the rest of the budget, into another window."""
        images, original = state["images"], state["original"]
        shape = images.shape
        change = images - original
        top, left = self._corner(state, i, side, attempt, "corner")
        into = tf.cast(window(top, left, side, shape), tf.float32)
        other_top, other_left = self._corner(state, i, side, attempt, "second corner")
        out_of = tf.cast(window(other_top, other_left, side, shape), tf.float32)

        # What adds up over the values of an image is the length to this power.
        power = 2.0 if self.norm == "l2" else 1.0

        def size(values: tf.Tensor) -> tf.Tensor:
            """The length in each channel."""
            if self.norm == "l1":
                return tf.reduce_sum(tf.abs(values), axis=(1, 2), keepdims=True)
            return tf.sqrt(tf.reduce_sum(tf.square(values), axis=(1, 2), keepdims=True))

        step = i + attempt * self.steps
        signs = example_random.signs(state["keys"], (1, 1, shape[3]), "signs", step)
        turns = example_random.uniform(state["keys"], (), "turns", step) < 0.5
        new = pattern(top, left, side, turns, shape, self.norm) * signs
        new += change * into / (1e-12 + size(change * into))
        new = masked(new, state.get("mask"))
        unused = state["epsilon"] ** power - length(change, self.norm) ** power
        if self.norm == "l1":
            # A little less, so that rounding leaves most images where no projection is needed.
            unused -= 1e-5 * state["epsilon"]
        budget = per_example(tf.maximum(unused, 0.0) / shape[3], images)
        budget += size(change * tf.maximum(into, out_of)) ** power
        if self.norm == "l2":
            budget = tf.sqrt(budget)
        else:
            # More than there is, as in the authors' code: the projection keeps the largest values.
            budget *= shape[3]
        new *= budget / (1e-12 + size(new))
        change = change * (1.0 - out_of) * (1.0 - into) + new * into
        moved = self._in_ball(change, original, state["epsilon"])
        return moved, {"images": moved}


def _offsets(top: tf.Tensor, left: tf.Tensor, shape: tf.TensorShape) -> tuple[tf.Tensor, tf.Tensor]:
    rows = tf.range(shape[1])[None, :, None, None] - top[:, None, None, None]
    columns = tf.range(shape[2])[None, None, :, None] - left[:, None, None, None]
    return rows, columns


def window(top: tf.Tensor, left: tf.Tensor, side: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Each example's square as a bool mask of shape (batch, height, width, 1)."""
    rows, columns = _offsets(top, left, shape)
    return (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)


def pattern(
    top: tf.Tensor,
    left: tf.Tensor,
    side: tf.Tensor,
    turned: tf.Tensor,
    shape: tf.TensorShape,
    norm: str = "l2",
) -> tf.Tensor:
    """The window of the l2 and l1 attacks: a bump above a dip, or beside it if `turned`.

    A bump is a sum of nested squares; the k-th from inside adds 1 / k^2 in l2, 1 / k^4 in l1.

    Returns:
        float32 tensor of shape (batch, height, width, 1), of length one in `norm`, and zero outside
        of each example's window.

    Reference:
        Andriushchenko et al. 2020, eq. 3 and section 3.3; Croce and Hein 2021, appendix A.2.
    """
    rows, columns = _offsets(top, left, shape)
    turned = tf.reshape(turned, [-1, 1, 1, 1])
    along, across = tf.where(turned, columns, rows), tf.where(turned, rows, columns)
    falls = 2 if norm == "l2" else 4
    sums = np.cumsum(1.0 / np.arange(1.0, max(shape[1], shape[2]) + 2) ** falls)
    partial = tf.constant(np.concatenate([[0.0], sums]), tf.float32)

    def bump(along: tf.Tensor, long: tf.Tensor) -> tf.Tensor:
        inside = (along >= 0) & (along < long) & (across >= 0) & (across < side)
        ring = tf.maximum(tf.abs(along - long // 2), tf.abs(across - side // 2))
        rings = tf.maximum(long // 2, side // 2) + 1
        height = tf.gather(partial, rings) - tf.gather(partial, tf.where(inside, ring, 0))
        return normalize(tf.where(inside, height, 0.0), norm)

    half = side // 2
    return normalize(bump(along, half) - bump(along - half, side - half), norm)
