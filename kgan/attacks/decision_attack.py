"""Base of attacks that see only the class a model decides for: where to start, how to bisect."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.attacks import example_random
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_images
from kgan.attacks.norms import choose, flatten, length, per_example
from kgan.attacks.victim import Victim
from kgan.random import check_seed

# Random images that are tried as a start.
_TRIES = 100
# How often the segment to the start is halved before a search in another norm than l2.
_START_BISECTIONS = 10


class DecisionAttack(Attack):
    """Base of attacks that use only labels: they walk along the border towards the clean image.

    A subclass implements `_attack` from `_first`, which finds an image that fools and moves it to
    the border. Without `starts` that is an image of uniform noise, which seldom reaches a target.

    Args:
        norm: The norm to minimise.
        queries: Number of labels that may be asked for each image, those of the start included.
        starts: Images (k, ...) to start from, for example a few of each class; an example starts
            at the nearest one that the model classifies as wanted, or else at noise. Their own
            labels, which all examples share, do not count as queries. Needed for targets.
        quantize: Whether the results have 8 bits a value; see `Attack`. The rounding asks some more
            labels than `queries`.
        seed: Seed of all draws, an int.
    """

    minimal = True
    category = "black-box"
    needs = "labels"
    tensors: tuple[str, ...] = ("queries", "seed")

    def __init__(
        self,
        *,
        norm: str,
        queries: int,
        starts: Any = None,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = norm
        self.queries = check_count("queries", queries)
        self.starts = None if starts is None else check_images(starts)
        self.quantize = quantize
        self.seed = check_seed(seed)

    @property
    def targetable(self) -> bool:  # type: ignore[override]
        """Whether there are `starts`, among which an image of the target can be found."""
        return self.starts is not None

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        least = self._overhead(tf.TensorShape(shape)) + 1
        if self.queries < least:
            raise ValueError(
                f"queries must be at least {least} for images of {shape}, to find a start, got "
                f"{self.queries}."
            )

    def _first(self, batch: AttackBatch, **extra: tf.Tensor) -> State:
        """The first state: "images" on the border, and the number of queries "used" so far."""
        zeros = tf.zeros_like(batch.keys)
        infinite = tf.fill(tf.shape(zeros), float("inf"))
        state = batch.start(images=batch.images, used=zeros, size=infinite, **extra)
        found = state["done"]
        if self.starts is not None:
            nearest, usable = self._nearest_start(batch)
            state["images"] = choose(usable & ~found, nearest, state["images"])
            found |= usable
        state, found = self._noise(batch, state, found)
        # Without a start there is nothing to walk from.
        state["done"] |= ~found
        active = ~state["done"]
        if self.norm != "l2":
            # The straight way first: clipping a far start moves every value as far as any.
            nearer = self._bisect(batch, state, state["images"], _START_BISECTIONS, "l2")
            state["images"] = choose(active, nearer, state["images"])
            state["used"] += tf.where(active, _START_BISECTIONS, 0)
        return self._to_border(batch, state, state["images"], active)

    def _nearest_start(self, batch: AttackBatch) -> tuple[tf.Tensor, tf.Tensor]:
        """The nearest of the `starts` that the model classifies as wanted, and whether one is."""
        starts = tf.constant(self.starts)
        usable = self._usable(batch, starts)
        flat, points = flatten(batch.images), flatten(starts)
        # |a - b|^2 without a tensor of all differences.
        distances = tf.reduce_sum(tf.square(points), axis=1) - 2.0 * tf.matmul(
            flat, points, transpose_b=True
        )
        nearest = tf.argmin(tf.where(usable, distances, float("inf")), axis=1)
        return tf.gather(starts, nearest), tf.reduce_any(usable, axis=1)

    def _usable(self, batch: AttackBatch, starts: tf.Tensor) -> tf.Tensor:
        """Whether each start fools in place of each example, bool (batch, k)."""
        rows, count = tf.shape(batch.keys)[0], tf.shape(starts)[0]
        if batch.rows is None:
            answers = batch.logits(starts)
            outputs = tf.tile(answers, [rows] + [1] * (answers.shape.rank - 1))
        else:
            # Beside other held inputs the same start is answered otherwise.
            outputs = batch.logits(tf.tile(starts, [rows] + [1] * (starts.shape.rank - 1)))
        fooled = batch.fooled(outputs, tf.repeat(batch.labels, count, axis=0))
        return tf.reshape(fooled, [rows, count])

    def _noise(self, batch: AttackBatch, state: State, found: tf.Tensor) -> tuple[State, tf.Tensor]:
        """Draws random images for the examples without a start, until they fool."""
        shape = batch.images.shape[1:]

        def draw(i, images, used, found):
            noise = example_random.uniform(state["keys"], shape, "start", i)
            fooled = batch.fooled(batch.logits(noise), state["labels"]) & ~found
            used += tf.cast(~found, tf.int32)
            return i + 1, choose(fooled, noise, images), used, found | fooled

        _, images, used, found = tf.while_loop(
            lambda i, images, used, found: ~tf.reduce_all(found),
            draw,
            (tf.constant(0), state["images"], state["used"], found),
            # What the bisections that follow will ask is kept back.
            maximum_iterations=tf.minimum(_TRIES, self.queries - self._overhead(shape)),
        )
        return {**state, "images": images, "used": used}, found

    def _to_border(
        self, batch: AttackBatch, state: State, outside: tf.Tensor, active: tf.Tensor
    ) -> State:
        """Moves images that fool towards the clean ones until they hardly fool, by bisection.

        Args:
            batch: The batch under attack.
            state: The state, whose "images" are replaced and recorded where `active`.
            outside: Images that fool.
            active: Which examples take part, bool (batch,).
        """
        count = self._bisections(outside.shape)
        images = self._bisect(batch, state, outside, count, self.norm)
        images = choose(active, images, state["images"])
        used = state["used"] + tf.where(active, count, 0)
        state = {**state, "images": images, "used": used}
        return batch.record_smallest(state, images, active, self.norm)

    def _bisect(
        self, batch: AttackBatch, state: State, outside: tf.Tensor, count: int, norm: str
    ) -> tf.Tensor:
        """The images that fool nearest to the border, after `count` halvings of the way there."""
        original, labels = state["original"], state["labels"]
        reach = per_example(length(outside - original, "linf"), outside)

        def at(share: tf.Tensor) -> tf.Tensor:
            if norm == "linf":
                radius = per_example(share, outside) * reach
                return tf.clip_by_value(outside, original - radius, original + radius)
            return original + per_example(share, outside) * (outside - original)

        def halve(i, low, high):
            middle = (low + high) / 2.0
            fooled = batch.fooled(batch.logits(at(middle)), labels)
            return i + 1, tf.where(fooled, low, middle), tf.where(fooled, middle, high)

        zeros = tf.zeros_like(state["keys"], tf.float32)
        _, _, high = tf.while_loop(
            lambda i, low, high: i < count, halve, (tf.constant(0), zeros, zeros + 1.0)
        )
        # At a share of one the image itself, without the rounding of the sum.
        return choose(high < 1.0, at(high), outside)

    def _overhead(self, shape: tf.TensorShape) -> int:
        """The queries of the bisections at the start, for one image of this shape."""
        straight = 0 if self.norm == "l2" else _START_BISECTIONS
        return straight + self._bisections(tf.TensorShape([None, *shape]))

    def _bisections(self, shape: tf.TensorShape) -> int:
        """How often to halve a segment: to 1 / d^1.5 of it in l2, to 1 / d^2 in linf."""
        power = 2.0 if self.norm == "linf" else 1.5
        return max(math.ceil(power * math.log2(np.prod(shape[1:]))), 1)
