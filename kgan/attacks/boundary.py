"""The boundary attack: a random walk along the border, towards the clean image."""

from typing import Any

import keras
import tensorflow as tf

from kgan.attacks import example_random, loop
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_norm
from kgan.attacks.decision_attack import DecisionAttack
from kgan.attacks.norms import choose, length, per_example

# A step along the sphere is judged by itself in one of so many steps.
_JUDGE_EVERY = 10
# The trials after which a step size is changed, for steps along the sphere and towards the image.
_SPHERE_TRIALS, _TOWARDS_TRIALS = 10, 30
_TINY = 1e-12


@keras.saving.register_keras_serializable(package="kgan")
class Boundary(DecisionAttack):
    """Walks with nothing but the model's labels; HopSkipJump needs far fewer of them.

    Each step goes in a random direction along the sphere around the clean image, then a little
    towards it, and is taken if the image still fools. Both lengths are adapted so that about half
    of the steps along the sphere, and a quarter of all steps, fool.

    Args:
        norm: "l2".
        queries: Number of labels that may be asked for each image.
        sphere_step: First step along the sphere, as a share of the distance.
        towards_step: First step towards the clean image, as a share of the distance.
        adaptation: Factor by which the steps are lengthened or shortened, above 1.
        starts: Images to start from, see `DecisionAttack`; needed for targets.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of all draws, an int.

    Reference:
        Brendel et al., "Decision-based adversarial attacks: reliable attacks against black-box
        machine learning models", 2018, algorithm 1.
    """

    norms = ("l2",)
    tensors: tuple[str, ...] = (
        *DecisionAttack.tensors,
        "sphere_step",
        "towards_step",
        "adaptation",
    )

    def __init__(
        self,
        *,
        norm: str = "l2",
        queries: int = 20000,
        sphere_step: float = 0.01,
        towards_step: float = 0.01,
        adaptation: float = 1.5,
        starts: Any = None,
        quantize: bool = False,
        seed: int = 0,
    ):
        norm = check_norm(norm, self.norms)
        super().__init__(norm=norm, queries=queries, starts=starts, quantize=quantize, seed=seed)
        for name, value in (("sphere_step", sphere_step), ("towards_step", towards_step)):
            if not 0 < value < 1:
                raise ValueError(f"{name} must be in (0, 1), got {value}.")
        if not adaptation > 1:
            raise ValueError(f"adaptation must be above 1, got {adaptation}.")
        self.sphere_step = float(sphere_step)
        self.towards_step = float(towards_step)
        self.adaptation = float(adaptation)

    def _attack(self, batch: AttackBatch) -> State:
        zeros = tf.zeros_like(batch.keys, tf.float32)
        state = self._first(
            batch,
            sphere_step=zeros + self.sphere_step,
            towards_step=zeros + self.towards_step,
            sphere_trials=zeros,
            sphere_hits=zeros,
            towards_trials=zeros,
            towards_hits=zeros,
        )

        def step(i: tf.Tensor, state: State) -> State:
            judged = i % _JUDGE_EVERY == 0
            sphere, nearer = self._candidates(state, i)
            hit = batch.fooled(batch.logits(nearer), state["labels"]) & ~state["done"]
            state = {
                **state,
                "images": choose(hit, nearer, state["images"]),
                "used": state["used"] + tf.where(judged, 2, 1),
                "towards_trials": state["towards_trials"] + 1.0,
                "towards_hits": state["towards_hits"] + tf.cast(hit, tf.float32),
            }
            state = batch.record_smallest(state, state["images"], hit, "l2")

            def judge() -> State:
                fooled = batch.fooled(batch.logits(sphere), state["labels"])
                return {
                    **state,
                    "sphere_trials": state["sphere_trials"] + 1.0,
                    "sphere_hits": state["sphere_hits"] + tf.cast(fooled, tf.float32),
                }

            return stop(self._adapt(tf.cond(judged, judge, lambda: dict(state))))

        def stop(state: State) -> State:
            """Ends the examples that cannot afford another step."""
            return {**state, "done": state["done"] | (state["used"] + 2 > self.queries)}

        return loop.run(step, stop(state), self.queries)

    def _candidates(self, state: State, i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The image moved along the sphere, and from there towards the clean image."""
        images, original = state["images"], state["original"]
        change = images - original
        distance = length(change, "l2")
        noise = example_random.normal(state["keys"], images.shape[1:], "step", i)
        axes = list(range(1, images.shape.rank))
        along = tf.reduce_sum(noise * change, axis=axes, keepdims=True)
        noise -= change * along / per_example(tf.square(distance) + _TINY, images)
        scale = state["sphere_step"] * distance / (length(noise, "l2") + _TINY)
        moved = change + per_example(scale, images) * noise
        sphere = self._at(original, moved, distance)
        shorter = distance * (1.0 - state["towards_step"])
        return sphere, self._at(original, sphere - original, shorter)

    def _at(self, original: tf.Tensor, change: tf.Tensor, distance: tf.Tensor) -> tf.Tensor:
        """The image in the direction of the change at this distance, inside the box."""
        change *= per_example(distance / (length(change, "l2") + _TINY), change)
        return tf.clip_by_value(original + change, 0.0, 1.0)

    def _adapt(self, state: State) -> State:
        """Changes the step sizes of the examples that have had enough trials."""
        sphere_over = state["sphere_trials"] >= _SPHERE_TRIALS
        share = state["sphere_hits"] / tf.maximum(state["sphere_trials"], 1.0)
        factor = tf.where(share > 0.5, self.adaptation, 1.0)
        factor = tf.where(share < 0.2, 1.0 / self.adaptation, factor)
        factor = tf.where(sphere_over, factor, 1.0)
        towards_over = state["towards_trials"] >= _TOWARDS_TRIALS
        share = state["towards_hits"] / tf.maximum(state["towards_trials"], 1.0)
        own = tf.where(share > 0.25, self.adaptation, 1.0)
        own = tf.where(share < 0.1, 1.0 / self.adaptation, own)
        own = tf.where(towards_over, own, 1.0)
        return {
            **state,
            "sphere_step": tf.minimum(state["sphere_step"] * factor, 1.0),
            "towards_step": tf.minimum(state["towards_step"] * factor * own, 0.5),
            "sphere_trials": tf.where(sphere_over, 0.0, state["sphere_trials"]),
            "sphere_hits": tf.where(sphere_over, 0.0, state["sphere_hits"]),
            "towards_trials": tf.where(towards_over, 0.0, state["towards_trials"]),
            "towards_hits": tf.where(towards_over, 0.0, state["towards_hits"]),
        }
