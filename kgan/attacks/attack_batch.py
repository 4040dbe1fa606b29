"""A batch under attack: its losses and gradients, and the records that all algorithms share."""

import dataclasses
import warnings
from collections.abc import Callable

import tensorflow as tf

from kgan.attacks import eight_bit, loop
from kgan.attacks.criteria import MISCLASSIFICATION
from kgan.attacks.criterion import Criterion
from kgan.attacks.loop import State
from kgan.attacks.norms import choose, length, masked


@dataclasses.dataclass(frozen=True)
class AttackBatch:
    """A batch of images to be misclassified.

    Attributes:
        logits: Graph function from images to (batch, classes) logits.
        images: The clean images, float32 (batch, ...) in [0, 1].
        labels: The classes to leave, or to reach if `targeted`, int32 (batch,); or what else the
            criterion takes for the truth, (batch, ...).
        keys: Each example's random key, int32 (batch,); see `example_random`.
        targeted: Whether `labels` are to be reached.
        attempt: Which of the attack's `attempts` this is.
        done: Which rows only pad the batch, bool (batch,).
        early_stop: Whether an example is done as soon as it is fooled.
        random: Whether the model is, so that one answer to a clean image ends nothing.
        plain: Run the published algorithm to its last iterate and return that, with no record of
            what was fooled on the way.
        mask: Where the images may change, bool (batch, ...); everywhere if `None`.
        epsilon: Radius of each example's ball (see `norms.rows_of`); `None` without a ball.
        norm: The norm of the ball; `None` without a ball.
        quantize: Whether images are judged and recorded with 8 bits a value.
        criterion: When an image counts as fooled.
        rows: Index of each example in its data set, int32 (batch,), for a model with held inputs.
    """

    logits: Callable[[tf.Tensor], tf.Tensor]
    images: tf.Tensor
    labels: tf.Tensor
    keys: tf.Tensor
    targeted: bool
    attempt: tf.Tensor | int = 0
    done: tf.Tensor | None = None
    early_stop: bool = True
    random: bool = False
    plain: bool = False
    mask: tf.Tensor | None = None
    epsilon: tf.Tensor | None = None
    norm: str | None = None
    quantize: bool = False
    criterion: Criterion = MISCLASSIFICATION
    rows: tf.Tensor | None = None

    def fooled(self, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Whether each example is misclassified (as the target, if targeted), bool (batch,)."""
        return self.criterion.counts(logits, labels, self.targeted)

    def gain(self, logits: tf.Tensor, labels: tf.Tensor, loss: str = "margin") -> tf.Tensor:
        """The value to maximise: the loss of the label, or minus the loss of the target."""
        return self.criterion.gain(logits, labels, self.targeted, loss)

    def gradient(
        self, images: tf.Tensor, value: Callable[[tf.Tensor], tf.Tensor], samples: int = 1
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """One forward and one backward pass, or the mean of several for a random model.

        Args:
            images: The images at which it is taken.
            value: Function from logits to a (batch,) tensor.
            samples: Number of passes: the expectation over transformations of Athalye et al.,
                "Synthesizing robust adversarial examples", 2018.

        Returns:
            The logits, the values, and the gradients of the values with respect to `images`.
            Gradients that are missing or not finite are replaced by zero.
        """
        found = self._pass(images, value)
        if samples == 1:
            return found

        def add(i: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
            new = self._pass(images, value)
            return i + 1, *(total + one for total, one in zip(sums, new, strict=True))

        _, *sums = tf.while_loop(lambda i, *_: i < samples, add, (tf.constant(1), *found))
        logits, values, gradient = (total / samples for total in sums)
        return logits, values, gradient

    def _pass(
        self, images: tf.Tensor, value: Callable[[tf.Tensor], tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits = self.logits(images)
            values = value(logits)
        gradient = tape.gradient(values, images)
        if gradient is None:
            _warn_of_no_gradient()
            gradient = tf.zeros_like(images)
        finite = tf.math.is_finite(gradient)
        gradient = tf.raw_ops.Select(condition=finite, x=gradient, y=tf.zeros_like(gradient))
        return logits, values, gradient

    def gradient_through(
        self,
        change: Callable[[tf.Tensor], tf.Tensor],
        images: tf.Tensor,
        value: Callable[[tf.Tensor], tf.Tensor],
        samples: int = 1,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Same as `gradient`, but the model gets `change(images)`."""
        changed = dataclasses.replace(self, logits=lambda images: self.logits(change(images)))
        return changed.gradient(images, value, samples)

    def class_gradients(self, images: tf.Tensor, classes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One forward pass, and a backward pass for each of several logits.

        Args:
            images: The images at which they are taken.
            classes: Whose logits, int32 (batch, k) with a static k.

        Returns:
            All logits, and the gradients of the k logits as a tensor (batch, k, ...).
        """
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch(images)
            logits = self.logits(images)
            picked = tf.unstack(tf.gather(logits, classes, batch_dims=1), axis=1)
        gradients = [tape.gradient(one, images) for one in picked]
        if gradients[0] is None:
            _warn_of_no_gradient()
            gradients = [tf.zeros_like(images)] * len(picked)
        return logits, tf.stack(gradients, axis=1)

    def start(self, **extra: tf.Tensor) -> State:
        """The first state of the loop: clean images; examples that are fooled already are done.

        What differs between examples is in the state, because examples leave the batch: the radius
        of the ball is its "epsilon", and the mask, if there is one, its "mask" (see `allowed`).
        """
        batch = tf.shape(self.keys)[0]
        done = tf.zeros([batch], tf.bool) if self.done is None else self.done
        success = tf.zeros([batch], tf.bool)
        if not self.plain and not self.random:
            success = self.fooled(self.logits(self.images), self.labels)
            done |= success
        rows = {"mask": self.mask, "epsilon": self.epsilon, "rows": self.rows}
        extra = {name: value for name, value in rows.items() if value is not None} | extra
        return {
            "original": self.images,
            "labels": self.labels,
            "keys": self.keys,
            "adversarial": self.images,
            "success": success,
            "done": done,
            **extra,
        }

    def record(self, state: State, images: tf.Tensor, logits: tf.Tensor | None = None) -> State:
        """Records the images that fool; with `early_stop` their examples are done."""
        if self.plain:
            return {**state, "adversarial": images}
        if self.quantize:
            images, logits = self.rounded(images, state), None
        fooled = self.fooled(self.logits(images) if logits is None else logits, state["labels"])
        fooled &= ~state["done"]
        return {
            **state,
            "adversarial": choose(fooled, images, state["adversarial"]),
            "success": state["success"] | fooled,
            "done": state["done"] | fooled if self.early_stop else state["done"],
        }

    def rounded(self, images: tf.Tensor, state: State) -> tf.Tensor:
        """The images as 8 bits hold them, in the ball; as they are without `quantize`."""
        if not self.quantize:
            return images
        return eight_bit.rounded(images, state["original"], state.get("epsilon"), self.norm)

    def record_smallest(
        self, state: State, images: tf.Tensor, fooled: tf.Tensor, norm: str
    ) -> State:
        """Records the images that fool with a smaller change than any before; none are done.

        Args:
            state: The state; "size" (batch,) holds the size of the recorded change, first infinite.
            images: The images to judge.
            fooled: Whether each of them fools, bool (batch,).
            norm: The norm in which changes are compared.
        """
        size = length(images - state["original"], norm)
        closer = fooled & (size < state["size"])
        return {
            **state,
            "adversarial": choose(closer, images, state["adversarial"]),
            "size": tf.where(closer, size, state["size"]),
            "success": state["success"] | closer,
        }

    def iterate(
        self, step: Callable[[tf.Tensor, State], State], state: State, steps: tf.Tensor | int
    ) -> State:
        """Runs an algorithm that changes `state["images"]`, then judges its last images.

        `step` must `record` the images that it finds, since it computes their logits anyway; only
        the last images need a forward pass of their own.
        """

        def finish(state: State) -> State:
            return self.record(state, state["images"])

        return loop.run(step, state, steps, finish=finish)


def _warn_of_no_gradient() -> None:
    warnings.warn(
        "No gradient of the model reaches its images, so that an attack that follows it finds "
        "nothing, which says nothing of the model's robustness. Give the part that stops the "
        "gradient a stand-in (kgan.attacks.BPDA), or use an attack that asks (Square, "
        "HopSkipJump).",
        stacklevel=2,
    )


def allowed(gradients: tf.Tensor, state: State, axis: int | None = None) -> tf.Tensor:
    """The gradients with zero where the state's mask, if there is one, forbids a change.

    Args:
        gradients: (batch, ...), or with one more axis, that of the classes.
        state: The state of the loop.
        axis: Which axis that is.
    """
    mask = state.get("mask")
    return masked(gradients, mask if mask is None or axis is None else tf.expand_dims(mask, axis))
