"""The Carlini-Wagner attack in l2."""

import keras
import tensorflow as tf

from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.constant_search import ConstantSearch, adam
from kgan.attacks.norms import flatten, length


def _unbounded(images: tf.Tensor) -> tf.Tensor:
    # Slightly less than the whole range, because atanh of a black or white value is infinite.
    return tf.atanh((2.0 * images - 1.0) * 0.999999)


def _bounded(values: tf.Tensor) -> tf.Tensor:
    return 0.5 * (tf.tanh(values) + 1.0)


@keras.saving.register_keras_serializable(package="kgan")
class CarliniWagner(ConstantSearch):
    """Minimises `||x' - x||^2 + constant * shortfall` over `x' = (tanh(w) + 1) / 2` with Adam.

    See `ConstantSearch` for the arguments. The published settings are 10,000 steps and 9 search
    steps; the default of 1000 steps comes within a few percent on MNIST.

    Reference:
        Carlini and Wagner, "Towards evaluating the robustness of neural networks", 2017,
        section VI.A.
    """

    norms = ("l2",)
    norm = "l2"

    def _restart(self, original: tf.Tensor) -> State:
        zeros = tf.zeros_like(original)
        return {"offset": zeros, "first": zeros, "second": zeros}

    def _size(self, change: tf.Tensor) -> tf.Tensor:
        return length(change, "l2")

    def _iterate(
        self, batch: AttackBatch, state: State
    ) -> tuple[State, tf.Tensor, tf.Tensor, tf.Tensor]:
        labels, constant = state["labels"], state["constant"]
        start = _unbounded(state["original"])
        reference = _bounded(start)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state["offset"])
            images = _bounded(start + state["offset"])
            if "mask" in state:
                images = tf.where(state["mask"], images, state["original"])
            logits = batch.logits(images)
            distance = tf.reduce_sum(tf.square(flatten(images - reference)), axis=1)
            loss = distance + constant * self._shortfall(batch, logits, labels)
        gradient = tape.gradient(loss, state["offset"])
        direction, first, second = adam(
            gradient, state["first"], state["second"], state["iteration"] + 1
        )
        offset = state["offset"] - self.learning_rate * direction
        return {"offset": offset, "first": first, "second": second}, loss, images, logits
