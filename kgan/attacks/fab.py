"""The fast adaptive boundary attack: finds a smallest change by projections onto the border."""

import keras
import tensorflow as tf

from kgan.attacks import example_random, loop
from kgan.attacks.apgd import ranked_class
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_norm, check_radius
from kgan.attacks.hyperplane import reach
from kgan.attacks.norms import DUAL, choose, flatten, length, normalize
from kgan.attacks.victim import Victim
from kgan.losses.fooling import margin
from kgan.random import check_seed

# Classes up to which `targets=0` takes a gradient for each.
MOST_CLASSES = 50
_START_RADIUS = {"linf": 0.3, "l2": 1.0, "l1": 5.0}


@keras.saving.register_keras_serializable(package="kgan")
class FAB(Attack):
    """Looks for the smallest change that crosses the decision border.

    Each step moves to the linear approximation of the border (inside the box), with a bias towards
    the clean image. Whenever the border was crossed, the image moves back by `backward`.

    Args:
        epsilon: Radius of the ball, or None to look for the smallest change. With a radius, an
            example is done once its change is within the radius, and fails otherwise.
        norm: "linf", "l2" or "l1".
        steps: Number of steps.
        targets: 0 considers at each step the borders to all classes (one gradient for each). A
            number k aims at the k classes with the largest logits, one after the other (one
            gradient), and counts any misclassification as success, as in AutoAttack.
        restarts: Number of runs (for each target); all but the first start at a random point.
        draw: Largest weight of the clean image in a step (alpha_max), in [0, 1].
        overshoot: Factor of the step towards the border, above 1 to cross it (eta).
        backward: Factor of the change that is kept when moving back (beta), in (0, 1).
        seed: Seed of the random starts, an int.

    Reference:
        Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
        attack", 2020, algorithm 1.
    """

    tensors: tuple[str, ...] = (
        "epsilon",
        "steps",
        "restarts",
        "draw",
        "overshoot",
        "backward",
        "seed",
    )

    def __init__(
        self,
        epsilon: float | None = None,
        *,
        norm: str = "linf",
        steps: int = 100,
        targets: int = 9,
        restarts: int = 1,
        draw: float = 0.1,
        overshoot: float = 1.05,
        backward: float = 0.9,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = None if epsilon is None else check_radius("epsilon", epsilon, norm)
        self.minimal = epsilon is None
        self.steps = check_count("steps", steps)
        self.targets = check_count("targets", targets, least=0)
        self.restarts = check_count("restarts", restarts)
        self.draw = float(draw)
        self.overshoot = float(overshoot)
        self.backward = float(backward)
        self.seed = check_seed(seed)

    def attempts(self, victim: Victim) -> int:
        return self.restarts * max(min(self.targets, victim.classes - 1), 1)

    def _settings(self) -> dict[str, float | int]:
        radius = float("inf") if self.epsilon is None else self.epsilon
        return {**super()._settings(), "epsilon": radius}

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        if self.targets == 0 and victim.classes > MOST_CLASSES:
            raise ValueError(
                f"targets=0 takes a gradient for each of {victim.classes} classes; set targets to "
                "how many of the likeliest classes to try."
            )

    def _attack(self, batch: AttackBatch) -> State:
        logits = batch.logits(batch.images)
        rank = batch.attempt // self.restarts
        state = batch.start(
            images=self._first(batch),
            target=ranked_class(logits, rank % (logits.shape[1] - 1)),
            distance=tf.fill(tf.shape(batch.labels), float("inf")),
        )

        def step(i: tf.Tensor, state: State) -> State:
            difference, gradient = self._border(batch, state)
            images = self._approach(state, difference, gradient)
            fooled = batch.fooled(batch.logits(images), state["labels"])
            distance = length(images - state["original"], self.norm)
            closer = fooled & (distance < state["distance"])
            distance = tf.where(closer, distance, state["distance"])
            back = state["original"] + (images - state["original"]) * self.backward
            success = distance <= self.epsilon if not self.minimal else distance < float("inf")
            return {
                **state,
                "images": choose(fooled, back, images),
                "adversarial": choose(closer & success, images, state["adversarial"]),
                "distance": distance,
                "success": success,
                "done": state["done"] if self.minimal else success,
            }

        return loop.run(step, state, self.steps)

    def _first(self, batch: AttackBatch) -> tf.Tensor:
        images = batch.images
        shape = images.shape[1:]
        radius = tf.where(self.minimal, _START_RADIUS[self.norm], self.epsilon)
        if self.norm == "linf":
            noise = 2.0 * example_random.uniform(batch.keys, shape, "start", batch.attempt) - 1.0
        else:
            noise = example_random.normal(batch.keys, shape, "start", batch.attempt)
        point = tf.clip_by_value(images + 0.5 * radius * normalize(noise, self.norm), 0.0, 1.0)
        return tf.where(batch.attempt % self.restarts > 0, point, images)

    def _border(self, batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor]:
        """The lead of the nearest border's class over the label, and the gradient of the lead."""
        images, labels = state["images"], state["labels"]
        if self.targets == 0 and not batch.targeted:
            return self._nearest(batch, images, labels)

        def lead(logits: tf.Tensor) -> tf.Tensor:
            if batch.targeted:
                return -margin(logits, labels)
            target = tf.gather(logits, state["target"], batch_dims=1)
            return target - tf.gather(logits, labels, batch_dims=1)

        _, difference, gradient = batch.gradient(images, lead)
        return difference, gradient

    def _nearest(
        self, batch: AttackBatch, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        classes = batch.logits(images).shape[1]
        # The label comes first, then the other classes.
        order = (labels[:, None] + tf.range(classes)[None]) % classes
        logits, gradients = batch.class_gradients(images, order)
        logits = tf.gather(logits, order, batch_dims=1)
        differences = logits[:, 1:] - logits[:, :1]
        gradients = gradients[:, 1:] - gradients[:, :1]
        flat = tf.reshape(gradients, [-1, images.shape[1:].num_elements()])
        slope = tf.reshape(length(flat, DUAL[self.norm]), tf.shape(differences))
        nearest = tf.argmin(tf.abs(differences) / (slope + 1e-12), axis=1)
        pick = {"indices": nearest, "batch_dims": 1, "axis": 1}
        return tf.gather(differences, **pick), tf.gather(gradients, **pick)

    def _approach(self, state: State, difference: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """The steps to the border from the present and from the clean image, averaged; eq. 9."""
        here, clean, normal = (flatten(x) for x in (state["images"], state["original"], gradient))
        gap = difference + tf.reduce_sum(normal * (clean - here), axis=1)
        from_here = reach(here, normal, difference, self.norm)
        from_clean = reach(clean, normal, gap, self.norm)
        near = tf.maximum(length(from_here, self.norm), 1e-8)
        far = tf.maximum(length(from_clean, self.norm), 1e-8)
        weight = tf.minimum(near / (near + far), self.draw)[:, None]
        point = (here + self.overshoot * from_here) * (1.0 - weight)
        point += (clean + self.overshoot * from_clean) * weight
        return tf.reshape(tf.clip_by_value(point, 0.0, 1.0), tf.shape(gradient))
