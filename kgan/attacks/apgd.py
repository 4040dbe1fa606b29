"""Auto-PGD: projected gradient ascent that finds its own step size."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import kgan.names
from kgan.attacks import example_random, loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State, allowed
from kgan.attacks.checks import check_count, check_norm, check_radii
from kgan.attacks.losses import LOSSES
from kgan.attacks.norms import (
    choose,
    flatten,
    length,
    masked,
    normalize,
    per_example,
    project,
)
from kgan.attacks.victim import Victim
from kgan.models.norm_ball import usual_radius
from kgan.random import check_seed


def checkpoints(steps: int) -> np.ndarray:
    """The length of the window that ends at each step, or 0 if none ends there (section 3.1)."""
    window, shortest, shrink = (max(int(part * steps), 1) for part in (0.22, 0.06, 0.03))
    ends, end = np.zeros(steps, np.int32), window
    while end <= steps:
        ends[end - 1] = window
        window = max(window - shrink, shortest)
        end += window
    return ends


# A value with less room than this is at the edge of the box, as float32 rounds it.
_EDGE = 1e-6


@keras.saving.register_keras_serializable(package="kgan")
class APGD(Attack):
    """PGD with momentum that halves its step and returns to the best point if progress stalls.

    In l1 each step changes only the values with the largest gradients; how many depends on the
    sparsity of the best change so far. The radius falls from three times `epsilon` to `epsilon` in
    three stages.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1], or an array of radii; see `PGD`,
            also for `None`.
        norm: "linf", "l2" or "l1".
        steps: Number of steps.
        loss: "cross_entropy", "margin", "dlr" (needs three classes), or "targeted_dlr" (needs
            four). The last one aims at the `targets` classes with the largest logits, one after
            the other, and counts any misclassification as success. For other criteria it aims at
            what may decide there: sets of k classes that pass the label for `TopK(k)`, which needs
            k + 3 classes; a class's own log odds for `Confidence`; sets of labels for `MultiLabel`.
        targets: Number of classes, or sets of them, that "targeted_dlr" aims at.
        restarts: Number of random starts (for each target).
        samples: Number of gradients averaged at each step, for models that are random.
        early_stop: Whether to stop work on an example once it is fooled.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the random starts, an int.

    Reference:
        Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
        parameter-free attacks", 2020, algorithm 1.
        Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks", 2021, algorithm 1.
    """

    has_last_iterate = True
    takes_arrays = True
    tensors: tuple[str, ...] = ("epsilon", "restarts", "targets", "seed")

    def __init__(
        self,
        epsilon: float | np.ndarray | None = None,
        *,
        norm: str = "linf",
        steps: int = 100,
        loss: str = "cross_entropy",
        targets: int = 9,
        restarts: int = 1,
        samples: int = 1,
        early_stop: bool = True,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radii("epsilon", usual_radius(epsilon, norm), norm)
        self.steps = check_count("steps", steps)
        kgan.names.check("loss", loss, (*LOSSES, "targeted_dlr"))
        self.loss = loss
        self.targets = check_count("targets", targets)
        self.restarts = check_count("restarts", restarts)
        self.samples = check_count("samples", samples)
        self.early_stop = early_stop
        self.quantize = quantize
        self.seed = check_seed(seed)

    def attempts(self, victim: Victim) -> int:
        if self.loss != "targeted_dlr":
            return self.restarts
        return self.restarts * min(self.targets, victim.choices)

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        criterion = victim.criterion
        if self.loss == "targeted_dlr" and victim.choices == 0:
            raise ValueError(
                f"loss 'targeted_dlr' aims at one class or label after the other, and {criterion!r}"
                f", which counts for {victim.name}, has none. Use loss='cross_entropy' or 'margin'."
            )
        if not criterion.by_class:
            return
        needed = {"dlr": 3, "targeted_dlr": criterion.spread_needs}.get(self.loss, 2)
        if victim.classes < needed:
            raise ValueError(
                f"loss {self.loss!r} needs at least {needed} classes, {victim.name} has "
                f"{victim.classes}. Use loss='cross_entropy' or 'margin'."
            )

    def _attack(self, batch: AttackBatch) -> State:
        state = batch.start()
        first = self._first(batch)
        state.update(images=first)
        if self.loss == "targeted_dlr" and not batch.targeted:
            number = batch.attempt // self.restarts
            logits = batch.logits(batch.images)
            state["aim"] = batch.criterion.aim(logits, batch.labels, number)
        if self.norm != "l1":
            return self._end(batch, self._ascend(batch, state, self.steps))
        early = -(-3 * self.steps // 10)
        for factor, steps in ((3.0, early), (2.0, early)):
            radius = factor * state["epsilon"]
            start = project(state["images"], batch.images, radius, "l1")
            wide = {**state, "images": start, "epsilon": radius}
            state["images"] = self._ascend(batch, wide, steps, judge=False)["best"]
        state["images"] = project(state["images"], batch.images, state["epsilon"], "l1")
        return self._end(batch, self._ascend(batch, state, max(self.steps - 2 * early, 1)))

    def _end(self, batch: AttackBatch, state: State) -> State:
        """As published, it ends at the point with the highest loss, fooling or not."""
        return {**state, "adversarial": state["best"]} if batch.plain else state

    def _first(self, batch: AttackBatch) -> tf.Tensor:
        shape = example_random.shape_of(batch.images)
        if self.norm == "linf":
            noise = 2.0 * example_random.uniform(batch.keys, shape, "start", batch.attempt) - 1.0
        else:
            noise = example_random.normal(batch.keys, shape, "start", batch.attempt)
        noise = masked(noise, batch.mask)
        if self.norm == "l1":
            return project(batch.images + noise, batch.images, 3.0 * self.epsilon, "l1")
        radius = per_example(self.epsilon, noise)
        start = batch.images + radius * normalize(noise, self.norm)
        return tf.clip_by_value(start, 0.0, 1.0)

    def _value(self, batch: AttackBatch, state: State) -> Callable[[tf.Tensor], tf.Tensor]:
        def value(logits: tf.Tensor) -> tf.Tensor:
            labels, criterion = state["labels"], batch.criterion
            if self.loss != "targeted_dlr":
                return batch.gain(logits, labels, self.loss)
            if batch.targeted:
                return batch.gain(logits, labels) / criterion.spread(logits)
            return criterion.lead(logits, labels, state["aim"]) / criterion.spread(logits)

        return value

    def _gradient(self, batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Logits, losses and the gradient, each averaged over `samples` calls of the model."""
        images, value = state["images"], self._value(batch, state)
        logits, losses, gradient = batch.gradient(images, value, self.samples)
        return logits, losses, allowed(gradient, state)

    def _ascend(self, batch: AttackBatch, state: State, steps: int, judge: bool = True) -> State:
        """Runs `steps` steps in the ball; `judge` says whether to record fooled examples."""
        logits, losses, gradient = self._gradient(batch, state)
        if judge:
            state = batch.record(state, state["images"], logits)
        step_size = (1.0 if self.norm == "l1" else 2.0) * state["epsilon"]
        state = {
            **state,
            "previous": state["images"],
            "gradient": gradient,
            "best": state["images"],
            "best_gradient": gradient,
            "best_loss": losses,
            "step_size": step_size,
            # The count of improvements starts from a loss of zero, as in the reference code.
            "last_loss": tf.zeros_like(losses),
            "improved": tf.zeros_like(losses),
            "checked_loss": losses,
            "halved": tf.ones_like(losses, tf.bool),
            "changed": length(state["images"] - state["original"], "l0"),
        }
        windows = tf.constant(checkpoints(steps))
        sparse_window = max(int(0.04 * steps), 1)

        def step(i: tf.Tensor, state: State) -> State:
            momentum = tf.where(i > 0, 0.75, 1.0)
            images = self._move(state, momentum)
            state = {**state, "previous": state["images"], "images": images}
            logits, losses, gradient = self._gradient(batch, state)
            if judge:
                state = batch.record(state, images, logits)
            better = losses > state["best_loss"]
            state = {
                **state,
                "gradient": gradient,
                "best": choose(better, images, state["best"]),
                "best_gradient": choose(better, gradient, state["best_gradient"]),
                "best_loss": tf.where(better, losses, state["best_loss"]),
                "improved": state["improved"] + tf.cast(losses > state["last_loss"], tf.float32),
                "last_loss": losses,
            }
            if self.norm == "l1":
                at_end, check = (i + 1) % sparse_window == 0, self._check_sparsity
            else:
                at_end, check = windows[i] > 0, self._check_progress
            return tf.cond(at_end, lambda: check(state, windows[i]), lambda: state)

        return loop.run(step, state, steps, results=("adversarial", "success", "best"))

    def _move(self, state: State, momentum: tf.Tensor) -> tf.Tensor:
        images, original, gradient = state["images"], state["original"], state["gradient"]
        epsilon = state["epsilon"]
        step_size = per_example(state["step_size"], images)
        if self.norm == "l1":
            large = tf.reshape(self._steepest(state), tf.shape(gradient))
            direction = normalize(tf.where(large, tf.sign(gradient), 0.0), "l1")
            return project(images + step_size * direction, original, epsilon, "l1")
        direction = tf.sign(gradient) if self.norm == "linf" else normalize(gradient, "l2")
        there = project(images + step_size * direction, original, epsilon, self.norm)
        there = images + momentum * (there - images) + (1 - momentum) * (images - state["previous"])
        return project(there, original, epsilon, self.norm)

    def _steepest(self, state: State) -> tf.Tensor:
        """The values with the largest gradients, as many as the sparsity says, bool (batch, n).

        Among few values the published step may go nowhere for ever: two values that change stay
        two, since their number over 1.5 is rounded up, and a single one stays at the edge of the
        box. Here that number is rounded down, and where all of these values are pushed out of the
        box, those that can move take their places.
        """
        slope, values = flatten(state["gradient"]), flatten(state["images"])
        size = slope.shape[1]
        count = tf.maximum(tf.floor(state["changed"] / 1.5), 1.0)
        rank = tf.cast(tf.clip_by_value(size - count, 0.0, size - 1.0), tf.int32)

        def largest(magnitude: tf.Tensor) -> tf.Tensor:
            smallest = tf.gather(tf.sort(magnitude, axis=1), rank, batch_dims=1)
            return magnitude >= smallest[:, None]

        magnitude = tf.abs(slope)
        large = largest(magnitude)
        free = (tf.where(slope > 0, 1.0 - values, values) > _EDGE) & (magnitude > 0)
        stuck = ~tf.reduce_any(large & free, axis=1)
        return tf.cond(
            tf.reduce_any(stuck),
            lambda: tf.where(stuck[:, None], largest(tf.where(free, magnitude, 0.0)), large),
            lambda: large,
        )

    def _check_progress(self, state: State, window: tf.Tensor) -> State:
        """Halves the step and returns to the best point if progress stalled; eq. (1) and (2)."""
        few = state["improved"] <= 0.75 * tf.cast(window, tf.float32)
        stuck = ~state["halved"] & (state["checked_loss"] >= state["best_loss"])
        halve = few | stuck
        return {
            **state,
            "step_size": choose(halve, state["step_size"] / 2.0, state["step_size"]),
            "images": choose(halve, state["best"], state["images"]),
            "gradient": choose(halve, state["best_gradient"], state["gradient"]),
            "halved": halve,
            "checked_loss": state["best_loss"],
            "improved": tf.zeros_like(state["improved"]),
        }

    def _check_sparsity(self, state: State, window: tf.Tensor) -> State:
        """Changes fewer values if the best change has become sparser, else shortens the step."""
        changed = length(state["best"] - state["original"], "l0")
        sparser = changed / state["changed"] < 0.95
        epsilon = state["epsilon"]
        step_size = tf.where(sparser, epsilon, state["step_size"] / 1.5)
        return {
            **state,
            "step_size": tf.clip_by_value(step_size, epsilon / 10.0, epsilon),
            "changed": changed,
            "images": choose(sparser, state["best"], state["images"]),
            "gradient": choose(sparser, state["best_gradient"], state["gradient"]),
        }
