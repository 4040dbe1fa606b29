"""DeepFool: steps to the nearest border of the linearised classifier until it is crossed."""

import keras
import tensorflow as tf

from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State, allowed
from kgan.attacks.checks import check_count, check_norm
from kgan.attacks.norms import DUAL, length, per_example
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class DeepFool(Attack):
    """Adds up the smallest changes that cross the linearised border, and overshoots a little.

    Where something else than another class counts (a victim's `criterion`), the border is where the
    criterion's margin is 0, such as that to the k-th likeliest other class.

    Args:
        norm: "l2" or "linf".
        steps: Number of steps at most; an example is done when it is fooled.
        candidates: How many of the likeliest classes are considered.
        overshoot: By which share the sum of the changes is lengthened.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Not used, since nothing is random; every attack has it.

    Reference:
        Moosavi-Dezfooli et al., "DeepFool: a simple and accurate method to fool deep neural
        networks", 2016, algorithm 2 and eq. 11.
    """

    norms = ("l2", "linf")
    minimal = True
    takes_arrays = True
    tensors: tuple[str, ...] = ("steps", "overshoot", "seed")

    def __init__(
        self,
        *,
        norm: str = "l2",
        steps: int = 50,
        candidates: int = 10,
        overshoot: float = 0.02,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.steps = check_count("steps", steps)
        self.candidates = check_count("candidates", candidates, least=2)
        self.overshoot = float(overshoot)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _attack(self, batch: AttackBatch) -> State:
        state = batch.start(images=batch.images, sum=tf.zeros_like(batch.images))
        if batch.criterion.borders:
            state["classes"] = self._classes(batch)

        def step(_: tf.Tensor, state: State) -> State:
            logits, behind, gradients = self._borders(batch, state)
            state = batch.record(state, state["images"], logits)
            total = state["sum"] + self._nearest(behind, allowed(gradients, state, axis=1))
            images = state["original"] + (1.0 + self.overshoot) * total
            return {**state, "sum": total, "images": tf.clip_by_value(images, 0.0, 1.0)}

        return batch.iterate(step, state, self.steps)

    def _classes(self, batch: AttackBatch) -> tf.Tensor:
        """The likeliest class, and those to whose borders it may go, int32 (batch, k)."""
        start = batch.logits(batch.images)
        likeliest = tf.math.top_k(start, min(self.candidates, start.shape[1])).indices
        if not batch.targeted:
            return likeliest
        # A targeted attack considers only the border to the target.
        return tf.stack([likeliest[:, 0], batch.labels], axis=1)

    def _borders(self, batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The logits, the leads (batch, k) that are 0 on borders, and their gradients."""
        images = state["images"]
        if not batch.criterion.borders:
            logits, margin, gradient = batch.gradient(
                images, lambda logits: batch.gain(logits, state["labels"])
            )
            return logits, margin[:, None], gradient[:, None]
        logits, gradients = batch.class_gradients(images, state["classes"])
        some = tf.gather(logits, state["classes"], batch_dims=1)
        return logits, some[:, 1:] - some[:, :1], gradients[:, 1:] - gradients[:, :1]

    def _nearest(self, behind: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """The smallest change to the nearest linearised border; eq. 8 and 9, in linf eq. 11."""
        flat = tf.reshape(gradients, [-1, *gradients.shape[2:]])
        slopes = tf.reshape(length(flat, DUAL[self.norm]), tf.shape(behind)) + 1e-8
        distances = tf.abs(behind) / slopes
        nearest = tf.argmin(distances, axis=1)
        # A little more than the distance, so that the image moves even if it lies on the border.
        distance = tf.gather(distances, nearest, batch_dims=1) + 1e-4
        direction = tf.gather(gradients, nearest, batch_dims=1)
        if self.norm == "linf":
            return per_example(distance, direction) * tf.sign(direction)
        slope = tf.gather(slopes, nearest, batch_dims=1)
        return per_example(distance / slope, direction) * direction
