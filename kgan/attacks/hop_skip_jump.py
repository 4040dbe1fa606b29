"""HopSkipJump: follows the border by gradients that are estimated from labels alone."""

import math
from typing import Any

import keras
import tensorflow as tf

from kgan.attacks import example_random, loop
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_norm
from kgan.attacks.decision_attack import DecisionAttack
from kgan.attacks.norms import choose, length, normalize, per_example

# How often the step away from the border is halved at most, and what is set aside for it.
_HALVINGS, _USUAL_HALVINGS = 25, 4
# Values in the random directions that one image tries at a time, and directions at most.
_CHUNK_VALUES, _CHUNK = 2**18, 32


@keras.saving.register_keras_serializable(package="kgan")
class HopSkipJump(DecisionAttack):
    """Minimises the change with nothing but the model's labels.

    Each round asks for labels around an image on the border, whose mean tells the border's
    direction; steps along it away from the clean image; and bisects back to the border.

    Args:
        norm: "l2" or "linf".
        queries: Number of labels that may be asked for each image.
        first_samples: Number of directions in the first round; it grows with the square root.
        most_samples: Number of directions in a round at most.
        starts: Images to start from, see `DecisionAttack`; needed for targets.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of all draws, an int.

    Reference:
        Chen et al., "HopSkipJumpAttack: a query-efficient decision-based attack", 2020,
        algorithm 2.
    """

    norms = ("l2", "linf")

    def __init__(
        self,
        *,
        norm: str = "l2",
        queries: int = 5000,
        first_samples: int = 100,
        most_samples: int = 10000,
        starts: Any = None,
        quantize: bool = False,
        seed: int = 0,
    ):
        norm = check_norm(norm, self.norms)
        super().__init__(norm=norm, queries=queries, starts=starts, quantize=quantize, seed=seed)
        self.first_samples = check_count("first_samples", first_samples)
        self.most_samples = check_count("most_samples", most_samples, least=first_samples)

    def _attack(self, batch: AttackBatch) -> State:
        state = self._first(batch)
        dimensions = batch.images.shape[1:].num_elements()
        bisections = self._bisections(batch.images.shape)

        def samples_of(i: tf.Tensor, state: State) -> tf.Tensor:
            """How many directions each example tries in round i; fewer where queries run out."""
            samples = float(self.first_samples) * tf.sqrt(tf.cast(i + 1, tf.float32))
            samples = tf.minimum(tf.cast(samples, tf.int32), self.most_samples)
            left = self.queries - state["used"] - bisections - _USUAL_HALVINGS
            # A few directions say too little of the border.
            return tf.where(2 * left >= samples, tf.minimum(samples, left), 0)

        def stop(i: tf.Tensor, state: State) -> State:
            """Ends the examples that cannot afford round i, before it asks anything."""
            return {**state, "done": state["done"] | (samples_of(i, state) == 0)}

        def step(i: tf.Tensor, state: State) -> State:
            samples = samples_of(i, state)
            size = length(state["images"] - state["original"], self.norm)
            # A tenth of the range at first, then the size over the number of dimensions.
            radius = tf.where(i == 0, 0.1, size / float(dimensions))
            direction = self._direction(batch, state, i, samples, radius)
            state = {**state, "used": state["used"] + samples}
            step_size = size / tf.sqrt(tf.cast(i + 1, tf.float32))
            most = self.queries - bisections
            outside, used, found = self._step_out(batch, state, direction, step_size, most)
            state = {**state, "used": used}
            active = found & ~state["done"]
            return stop(i + 1, self._to_border(batch, state, outside, active))

        rounds = self.queries // self.first_samples + 1
        return loop.run(step, stop(tf.constant(0), state), rounds)

    def _direction(
        self,
        batch: AttackBatch,
        state: State,
        i: tf.Tensor,
        samples: tf.Tensor,
        radius: tf.Tensor,
    ) -> tf.Tensor:
        """The border's estimated normal towards images that fool: eq. 8, 9 and 13 of the paper."""
        images, keys, labels = state["images"], state["keys"], state["labels"]
        shape = images.shape[1:]
        chunk = max(min(_CHUNK_VALUES // shape.num_elements(), _CHUNK), 1)
        labels = tf.repeat(labels, chunk, axis=0)
        draw = example_random.uniform if self.norm == "linf" else example_random.normal
        reach = per_example(radius, images)[:, None]

        def ask(c, weighted, total, votes):
            step = i * math.ceil(self.most_samples / chunk) + c
            noise = draw(keys, (chunk, *shape), "direction", step)
            if self.norm == "linf":
                noise = 2.0 * noise - 1.0
            noise = normalize(tf.reshape(noise, [-1, *shape]), "l2")
            noise = tf.reshape(noise, [-1, chunk, *shape])
            points = tf.clip_by_value(images[:, None] + reach * noise, 0.0, 1.0)
            # The direction that was really tried, inside the box.
            noise = points - images[:, None]
            fooled = batch.fooled(batch.logits(tf.reshape(points, [-1, *shape])), labels)
            vote = tf.reshape(tf.where(fooled, 1.0, -1.0), [-1, chunk])
            counts = tf.cast((c * chunk + tf.range(chunk))[None] < samples[:, None], tf.float32)
            vote *= counts
            spread = [-1, chunk] + [1] * len(shape)
            weighted += tf.reduce_sum(tf.reshape(vote, spread) * noise, axis=1)
            total += tf.reduce_sum(tf.reshape(counts, spread) * noise, axis=1)
            return c + 1, weighted, total, votes + tf.reduce_sum(vote, axis=1)

        zeros = tf.zeros_like(images)
        chunks = (tf.reduce_max(samples) + chunk - 1) // chunk
        _, weighted, total, votes = tf.while_loop(
            lambda c, *_: c < chunks, ask, (tf.constant(0), zeros, zeros, tf.zeros_like(radius))
        )
        # The mean vote is a control variate, unless all vote alike.
        mean = votes / tf.cast(tf.maximum(samples, 1), tf.float32)
        mean = per_example(tf.where(tf.abs(mean) == 1.0, 0.0, mean), images)
        direction = normalize(weighted - mean * total, "l2")
        return tf.sign(direction) if self.norm == "linf" else direction

    def _step_out(
        self,
        batch: AttackBatch,
        state: State,
        direction: tf.Tensor,
        step_size: tf.Tensor,
        most: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Steps along the direction, halved until the image fools.

        Args:
            batch: The batch under attack.
            state: The state, whose "images" are on the border.
            direction: Where to step.
            step_size: The first length of each step.
            most: The number of queries that may be used by the end.

        Returns:
            The images, the queries used by now, and which of the images fool.
        """
        images = state["images"]

        def attempt(i, outside, step_size, used, found):
            moved = images + per_example(step_size, images) * direction
            moved = tf.clip_by_value(moved, 0.0, 1.0)
            asked = ~found & (used < most)
            fooled = batch.fooled(batch.logits(moved), state["labels"]) & asked
            used += tf.cast(asked, tf.int32)
            return i + 1, choose(fooled, moved, outside), step_size / 2.0, used, found | fooled

        _, outside, _, used, found = tf.while_loop(
            lambda i, outside, step_size, used, found: tf.reduce_any(~found & (used < most)),
            attempt,
            (tf.constant(0), images, step_size, state["used"], state["done"]),
            maximum_iterations=_HALVINGS,
        )
        return outside, used, found
