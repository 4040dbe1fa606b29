"""The elastic-net attack (EAD): small in l1 and l2 at once."""

import keras
import tensorflow as tf

from kgan.attacks.attack_batch import AttackBatch, State, allowed
from kgan.attacks.constant_search import ConstantSearch
from kgan.attacks.norms import flatten, length, per_example


@keras.saving.register_keras_serializable(package="kgan")
class ElasticNet(ConstantSearch):
    """Minimises `constant * shortfall + ||d||^2 + beta * ||d||_1` by FISTA.

    See `ConstantSearch` for the other arguments. With `abort_early` an example moves on only while
    no image fools with its constant: after that the loss may rise while the l1 norm still falls,
    and to stop there would leave an l1 norm that is up to a third larger.

    Args:
        beta: Weight of the l1 norm.
        rule: Which of the images that fool is kept: the one with the smallest elastic-net size
            ("EN") or the smallest l1 norm ("L1").

    Reference:
        Chen et al., "EAD: elastic-net attacks to deep neural networks via adversarial examples",
        2018, algorithm 1 and eq. 4 to 6.
    """

    norms = ("l1",)
    norm = "l1"
    aborts_when_found = False
    tensors = (*ConstantSearch.tensors, "beta")

    def __init__(
        self,
        *,
        beta: float = 1e-3,
        rule: str = "EN",
        confidence: float = 0.0,
        steps: int = 1000,
        search_steps: int = 9,
        learning_rate: float = 0.01,
        initial_constant: float = 1e-3,
        abort_early: bool = True,
        quantize: bool = False,
        seed: int = 0,
    ):
        super().__init__(
            confidence=confidence,
            steps=steps,
            search_steps=search_steps,
            learning_rate=learning_rate,
            initial_constant=initial_constant,
            abort_early=abort_early,
            quantize=quantize,
            seed=seed,
        )
        if not beta >= 0:
            raise ValueError(f"beta must be at least 0, got {beta}.")
        if rule not in ("EN", "L1"):
            raise ValueError(f"rule must be EN or L1, got {rule!r}.")
        self.beta = float(beta)
        self.rule = rule

    def _restart(self, original: tf.Tensor) -> State:
        return {"point": original, "ahead": original}

    def _size(self, change: tf.Tensor) -> tf.Tensor:
        l1 = length(change, "l1")
        if self.rule == "L1":
            return l1
        return self.beta * l1 + tf.reduce_sum(tf.square(flatten(change)), axis=1)

    def _iterate(
        self, batch: AttackBatch, state: State
    ) -> tuple[State, tf.Tensor, tf.Tensor, tf.Tensor]:
        original, ahead = state["original"], state["ahead"]
        labels, constant = state["labels"], state["constant"]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(ahead)
            shortfall = self._shortfall(batch, batch.logits(ahead), labels)
            distance = tf.reduce_sum(tf.square(flatten(ahead - original)), axis=1)
            loss = distance + constant * shortfall
        gradient = allowed(tape.gradient(loss, ahead), state)
        iteration = tf.cast(state["iteration"], tf.float32)
        # Square-root decay, as in the authors' code.
        rate = tf.sqrt(1.0 - iteration / tf.cast(self.steps, tf.float32)) * self.learning_rate
        point = self._shrink(ahead - per_example(rate, ahead) * gradient, original)
        pull = per_example(iteration / (iteration + 3.0), ahead)
        ahead = point + pull * (point - state["point"])
        return {"point": point, "ahead": ahead}, loss, point, batch.logits(point)

    def _shrink(self, values: tf.Tensor, original: tf.Tensor) -> tf.Tensor:
        """Soft-thresholds the change by beta and clips to the box; eq. 5."""
        change = values - original
        up = tf.minimum(values - self.beta, 1.0)
        down = tf.maximum(values + self.beta, 0.0)
        kept = tf.where(change < -self.beta, down, original)
        return tf.where(change > self.beta, up, kept)
