"""The fast adaptive boundary attack: finds a smallest change by projections onto the border."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import example_random, loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State, allowed
from kgan.attacks.checks import check_count, check_norm, check_radii
from kgan.attacks.hyperplane import reach
from kgan.attacks.norms import DUAL, choose, flatten, length, masked, normalize, per_example
from kgan.attacks.victim import Victim
from kgan.random import check_seed

# Classes up to which `targets=0` takes a gradient for each.
MOST_CLASSES = 50
_LARGEST = float(np.finfo(np.float32).max)
_START_RADIUS = {"linf": 0.3, "l2": 1.0, "l1": 5.0}


@keras.saving.register_keras_serializable(package="kgan")
class FAB(Attack):
    """Looks for the smallest change that crosses the decision border.

    Each step moves to the linear approximation of the border (inside the box), with a bias towards
    the clean image. Whenever the border was crossed, the image moves back by `backward`.

    Where something else than another class counts (a victim's `criterion`), the border is where the
    criterion's margin is 0, such as that to the k-th likeliest other class, and `targets` plays no
    part.

    Args:
        epsilon: Radius of the ball (or an array of radii, see `PGD`), or None to look for the
            smallest change. With a radius, an example is done once its change is within the radius,
            and fails otherwise.
        norm: "linf", "l2" or "l1".
        steps: Number of steps.
        targets: 0 considers at each step the borders to all classes (one gradient for each). A
            number k aims at the k classes with the largest logits, one after the other (one
            gradient), and counts any misclassification as success, as in AutoAttack.
        restarts: Number of runs (for each target); all but the first start at a random point.
        draw: Largest weight of the clean image in a step (alpha_max), in [0, 1].
        overshoot: Factor of the step towards the border, above 1 to cross it (eta).
        backward: Factor of the change that is kept when moving back (beta), in (0, 1).
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the random starts, an int.

    Reference:
        Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
        attack", 2020, algorithm 1.
    """

    minimal_without_epsilon = True
    takes_arrays = True
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
        epsilon: float | np.ndarray | None = None,
        *,
        norm: str = "linf",
        steps: int = 100,
        targets: int = 9,
        restarts: int = 1,
        draw: float = 0.1,
        overshoot: float = 1.05,
        backward: float = 0.9,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = None if epsilon is None else check_radii("epsilon", epsilon, norm)
        self.minimal = epsilon is None
        self.steps = check_count("steps", steps)
        self.targets = check_count("targets", targets, least=0)
        self.restarts = check_count("restarts", restarts)
        self.draw = float(draw)
        self.overshoot = float(overshoot)
        self.backward = float(backward)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def attempts(self, victim: Victim) -> int:
        if not victim.criterion.borders:
            return self.restarts
        return self.restarts * max(min(self.targets, victim.classes - 1), 1)

    def _settings(self) -> dict[str, Any]:
        radius = float("inf") if self.epsilon is None else self.epsilon
        return {**super()._settings(), "epsilon": radius}

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        if not victim.criterion.borders:
            return
        if self.targets == 0 and victim.classes > MOST_CLASSES:
            raise ValueError(
                f"targets=0 takes a gradient for each of {victim.classes} classes; set targets to "
                "how many of the likeliest classes to try."
            )

    def _attack(self, batch: AttackBatch) -> State:
        state = batch.start(
            images=self._first(batch), distance=tf.fill(tf.shape(batch.keys), float("inf"))
        )
        if batch.criterion.borders:
            logits, rank = batch.logits(batch.images), batch.attempt // self.restarts
            number = rank % (logits.shape[1] - 1)
            state["target"] = batch.criterion.aim(logits, batch.labels, number)[:, 0]

        def step(i: tf.Tensor, state: State) -> State:
            difference, gradient = self._border(batch, state)
            images = self._approach(state, difference, gradient)
            judged = batch.rounded(images, state)
            fooled = batch.fooled(batch.logits(judged), state["labels"])
            distance = self._size(judged - state["original"], state)
            closer = fooled & (distance < state["distance"])
            distance = tf.where(closer, distance, state["distance"])
            back = state["original"] + (images - state["original"]) * self.backward
            success = distance <= self._limit(state)
            return {
                **state,
                "images": choose(fooled, back, images),
                "adversarial": choose(closer & success, judged, state["adversarial"]),
                "distance": distance,
                "success": success,
                "done": state["done"] if self.minimal else success,
            }

        return loop.run(step, state, self.steps)

    def _first(self, batch: AttackBatch) -> tf.Tensor:
        images = batch.images
        shape = images.shape[1:]
        radius = _START_RADIUS[self.norm] if self.minimal else per_example(self.epsilon, images)
        if self.norm == "linf":
            noise = 2.0 * example_random.uniform(batch.keys, shape, "start", batch.attempt) - 1.0
        else:
            noise = example_random.normal(batch.keys, shape, "start", batch.attempt)
        noise = masked(noise, batch.mask)
        point = tf.clip_by_value(images + 0.5 * radius * normalize(noise, self.norm), 0.0, 1.0)
        return tf.where(batch.attempt % self.restarts > 0, point, images)

    def _unit(self, state: State) -> tf.Tensor | None:
        """The radius of each value, (batch, values), if radii differ within an image."""
        epsilon = state.get("epsilon")
        if epsilon is None or epsilon.shape.rank == 1:
            return None
        return flatten(epsilon + tf.zeros_like(state["original"]))

    def _size(self, change: tf.Tensor, state: State) -> tf.Tensor:
        """The size of each change, (batch,): its length, or in units of each value's radius."""
        unit = self._unit(state)
        if unit is None:
            return length(change, self.norm)
        # A value whose radius is 0 never changes.
        return length(tf.math.divide_no_nan(flatten(change), unit), self.norm)

    def _limit(self, state: State) -> tf.Tensor | float:
        """The largest size that counts as success."""
        if self.minimal:
            return _LARGEST
        limit = state["epsilon"] if self._unit(state) is None else 1.0
        # A whole number of levels may round to a little more than a radius of as many.
        return limit * (1.0 + 1e-6) if self.quantize else limit

    def _border(self, batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor]:
        """The lead of the nearest border's class over the label, and the gradient of the lead."""
        images, labels = state["images"], state["labels"]
        aims = batch.criterion.borders and not batch.targeted
        if self.targets == 0 and aims:
            return self._nearest(batch, state)

        def lead(logits: tf.Tensor) -> tf.Tensor:
            if not aims:
                return batch.gain(logits, labels)
            target = tf.gather(logits, state["target"], batch_dims=1)
            return target - tf.gather(logits, labels, batch_dims=1)

        _, difference, gradient = batch.gradient(images, lead)
        return difference, allowed(gradient, state)

    def _nearest(self, batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = state["images"], state["labels"]
        classes = batch.logits(images).shape[1]
        # The label comes first, then the other classes.
        order = (labels[:, None] + tf.range(classes)[None]) % classes
        logits, gradients = batch.class_gradients(images, order)
        logits = tf.gather(logits, order, batch_dims=1)
        differences = logits[:, 1:] - logits[:, :1]
        gradients = allowed(gradients[:, 1:] - gradients[:, :1], state, axis=1)
        unit = self._unit(state)
        flat = tf.reshape(gradients, [-1, classes - 1, images.shape[1:].num_elements()])
        flat = tf.reshape(flat if unit is None else flat * unit[:, None], [-1, flat.shape[2]])
        slope = tf.reshape(length(flat, DUAL[self.norm]), tf.shape(differences))
        nearest = tf.argmin(tf.abs(differences) / (slope + 1e-12), axis=1)
        pick = {"indices": nearest, "batch_dims": 1, "axis": 1}
        return tf.gather(differences, **pick), tf.gather(gradients, **pick)

    def _approach(self, state: State, difference: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """The steps to the border from the present and from the clean image, averaged; eq. 9."""
        here, clean, normal = (flatten(x) for x in (state["images"], state["original"], gradient))
        gap = difference + tf.reduce_sum(normal * (clean - here), axis=1)
        unit = self._unit(state)
        from_here = reach(here, normal, difference, self.norm, unit)
        from_clean = reach(clean, normal, gap, self.norm, unit)
        near = tf.maximum(self._size(from_here, state), 1e-8)
        far = tf.maximum(self._size(from_clean, state), 1e-8)
        weight = tf.minimum(near / (near + far), self.draw)[:, None]
        point = (here + self.overshoot * from_here) * (1.0 - weight)
        point += (clean + self.overshoot * from_clean) * weight
        images = tf.reshape(tf.clip_by_value(point, 0.0, 1.0), tf.shape(gradient))
        if "mask" in state:
            # The average of two equal values may round to another one.
            images = tf.where(state["mask"], images, state["original"])
        return images
