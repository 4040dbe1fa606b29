"""Sparse-RS: a random search over which pixels to change, from the model's outputs."""

import keras
import tensorflow as tf

from kgan.attacks import example_random, loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_norm, check_radius, has_pixels
from kgan.attacks.norms import choose
from kgan.attacks.victim import Victim
from kgan.random import check_seed

# Queries, of 10,000, after which the divisor of the share of moved pixels changes.
_QUERIES = (0, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_DIVISORS = (1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0)


@keras.saving.register_keras_serializable(package="kgan")
class SparseRS(Attack):
    """Moves a fixed number of changed pixels about and keeps moves that lower the margin.

    A changed pixel has a random corner of the colour cube: black or white in each channel.

    Args:
        epsilon: How many values may change. A pixel counts once for each channel, so an RGB image
            has `epsilon // 3` changed pixels. Images without pixels change value by value.
        norm: "l0".
        steps: Number of queries for each image.
        share: Share of the changed pixels that the first steps move (alpha_init), in (0, 1].
        restarts: Number of starts for images that are not fooled.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the search, an int.

    Reference:
        Croce et al., "Sparse-RS: a versatile framework for query-efficient sparse black-box
        adversarial attacks", 2022, algorithms 1 and 2 and section 4.
    """

    norms = ("l0",)
    category = "black-box"
    needs = "scores"
    tensors: tuple[str, ...] = ("epsilon", "steps", "restarts", "share", "seed")

    def __init__(
        self,
        epsilon: float = 24,
        *,
        norm: str = "l0",
        steps: int = 5000,
        share: float = 0.3,
        restarts: int = 1,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radius("epsilon", epsilon, norm)
        self.steps = check_count("steps", steps)
        if not 0 < share <= 1:
            raise ValueError(f"share must be in (0, 1], got {share}.")
        self.share = float(share)
        self.restarts = check_count("restarts", restarts)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        channels = shape[-1] if has_pixels(shape) else 1
        if 0 < self.epsilon < channels:
            raise ValueError(
                f"epsilon must be at least {channels}, the values of one pixel, got "
                f"{self.epsilon:g}."
            )

    def _attack(self, batch: AttackBatch) -> State:
        shape = batch.images.shape[1:]
        channels = shape[-1] if has_pixels(shape) else 1
        pixels = shape.num_elements() // channels
        count = tf.cast(tf.floor(self.epsilon / float(channels)), tf.int32)
        count = tf.clip_by_value(count, 0, pixels)
        first = batch.attempt * self.steps

        def corners(keys: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
            return example_random.uniform(keys, (pixels, channels), "corner", step) < 0.5

        def paint(original: tf.Tensor, changed: tf.Tensor, colours: tf.Tensor) -> tf.Tensor:
            flat = tf.reshape(original, [-1, pixels, channels])
            images = tf.where(changed[:, :, None], tf.cast(colours, tf.float32), flat)
            return tf.reshape(images, [-1, *shape])

        changed = _rank(example_random.uniform(batch.keys, (pixels,), "first", first)) < count
        colours = corners(batch.keys, first)
        images = paint(batch.images, changed, colours)
        logits = batch.logits(images)
        state = batch.start(changed=changed, colours=colours, gain=batch.gain(logits, batch.labels))
        state = batch.record(state, images, logits)

        def step(i: tf.Tensor, state: State) -> State:
            moved = self._moved(i + 1, count)
            draw = first + i + 1
            order = example_random.uniform(state["keys"], (pixels,), "pixels", draw)
            # The changed pixels come first, in random order, then the others.
            rank = _rank(tf.where(state["changed"], order, 1.0 + order))
            left = rank < moved
            joins = (rank >= count) & (rank < count + moved)
            changed = (state["changed"] & ~left) | joins
            fresh = corners(state["keys"], draw)
            # A single pixel that keeps its colour would waste the query.
            now = tf.reshape(state["original"], [-1, pixels, channels])
            same = tf.reduce_all(tf.cast(fresh, tf.float32) == now, axis=2, keepdims=True)
            fresh = tf.where(same & (moved == 1), ~fresh, fresh)
            colours = tf.where(joins[:, :, None], fresh, state["colours"])
            images = paint(state["original"], changed, colours)
            logits = batch.logits(images)
            gain = batch.gain(logits, state["labels"])
            better = gain > state["gain"]
            state = batch.record(state, images, logits)
            return {
                **state,
                "changed": choose(better, changed, state["changed"]),
                "colours": choose(better, colours, state["colours"]),
                "gain": tf.where(better, gain, state["gain"]),
            }

        return loop.run(step, state, self.steps - 1)

    def _moved(self, query: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """How many pixels move at a query; the published schedule, stretched to `steps`."""
        of_all = tf.floor(tf.cast(query, tf.float32) / tf.cast(self.steps, tf.float32) * 10000.0)
        stage = tf.reduce_sum(tf.cast(of_all > tf.constant(_QUERIES, tf.float32), tf.int32))
        share = self.share / tf.gather(tf.constant(_DIVISORS), stage)
        return tf.maximum(tf.cast(share * tf.cast(count, tf.float32), tf.int32), 1)


def _rank(values: tf.Tensor) -> tf.Tensor:
    """The position of each value in its row's ascending order, int32 (batch, n)."""
    return tf.argsort(tf.argsort(values, axis=1, stable=True), axis=1, stable=True)
