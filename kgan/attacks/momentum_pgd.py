"""Momentum iterative FGSM, with the variants that make its images transfer."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import example_random
from kgan.attacks.attack_batch import AttackBatch, State, allowed
from kgan.attacks.checks import check_count, check_radius
from kgan.attacks.norms import choose, length, per_example, random_change
from kgan.attacks.pgd import PGD
from kgan.augmentation.wavelet import along_both


@keras.saving.register_keras_serializable(package="kgan")
class MomentumPGD(PGD):
    """PGD along a running sum of gradients (MI-FGSM).

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1], or an array of radii; see `PGD`,
            also for `None`.
        steps: Number of steps.
        step_size: Length of a step; `epsilon / steps` if None, as published.
        norm: "linf", "l2" or "l1".
        decay: Share of the sum that is kept at each step (mu).
        diversity: Probability with which the gradient is taken at a randomly shrunk and shifted
            copy of the image (DI-FGSM).
        shrink: Smallest size of that copy, as a share of the image's size, in (0, 1].
        translation: Side of the Gaussian kernel that smooths the gradient (TI-FGSM), an odd
            number; 0 for none.
        nesterov: Whether the gradient is taken where the momentum alone would lead (NI-FGSM).
        scales: Number of copies, divided by 1, 2, 4, ..., whose gradients are averaged (SI-FGSM);
            5 is published.
        neighbours: Number of random neighbours whose mean gradient corrects the next step
            (VMI-FGSM); 20 is published, 0 for none.
        spread: Radius of the ball in `norm` that the neighbours are drawn from, as a multiple of
            `epsilon` (beta).
        random_start: Whether to start at a random point of the ball.
        restarts: Number of starts for images that are not fooled; more than 1 needs
            `random_start`.
        loss: "cross_entropy", "margin" or "dlr".
        samples: Number of gradients averaged at each step, for models that are random.
        early_stop: Whether to stop work on an example once it is fooled; use False for transfer.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the random starts and copies.

    Reference:
        Dong et al., "Boosting adversarial attacks with momentum", 2018, algorithm 1.
        Xie et al., "Improving transferability of adversarial examples with input diversity", 2019.
        Dong et al., "Evading defenses to transferable adversarial examples by
        translation-invariant attacks", 2019, eq. 6.
        Lin et al., "Nesterov accelerated gradient and scale invariance for adversarial attacks",
        2020, eq. 6 to 8 and algorithm 1.
        Wang and He, "Enhancing the transferability of adversarial attacks through variance
        tuning", 2021, algorithm 1.
    """

    tensors = (*PGD.tensors, "decay", "shrink", "spread")

    def __init__(
        self,
        epsilon: float | np.ndarray | None = None,
        *,
        steps: int = 10,
        step_size: float | np.ndarray | None = None,
        norm: str = "linf",
        decay: float = 1.0,
        diversity: float = 0.0,
        shrink: float = 0.9,
        translation: int = 0,
        nesterov: bool = False,
        scales: int = 1,
        neighbours: int = 0,
        spread: float = 1.5,
        random_start: bool = False,
        restarts: int = 1,
        loss: str = "cross_entropy",
        samples: int = 1,
        early_stop: bool = True,
        quantize: bool = False,
        seed: int = 0,
    ):
        super().__init__(
            epsilon,
            steps=steps,
            step_size=step_size,
            norm=norm,
            random_start=random_start,
            restarts=restarts,
            loss=loss,
            samples=samples,
            early_stop=early_stop,
            quantize=quantize,
            seed=seed,
        )
        self.decay = float(decay)
        if not 0 <= diversity <= 1:
            raise ValueError(f"diversity must be in [0, 1], got {diversity}.")
        # A copy of size 0 would have no pixels.
        if not 0 < shrink <= 1:
            raise ValueError(f"shrink must be in (0, 1], got {shrink}.")
        self.diversity = float(diversity)
        self.shrink = float(shrink)
        self.translation = check_count("translation", translation, least=0)
        if translation and translation % 2 == 0:
            raise ValueError(f"translation must be odd or 0, got {translation}.")
        self.nesterov = nesterov
        self.scales = check_count("scales", scales)
        self.neighbours = check_count("neighbours", neighbours, least=0)
        self.spread = check_radius("spread", spread, "l2")
        self.needs_pixels = bool(diversity or translation)

    def _settings(self) -> dict[str, Any]:
        step_size = self.epsilon / self.steps if self.step_size is None else self.step_size
        return {**super()._settings(), "step_size": step_size}

    def _memory(self, batch: AttackBatch) -> State:
        zeros = tf.zeros_like(batch.images)
        return {"momentum": zeros, "variance": zeros} if self.neighbours else {"momentum": zeros}

    def _gradient(
        self, batch: AttackBatch, i: tf.Tensor, state: State
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        step = i + batch.attempt * self.steps
        points = state["images"]
        if self.nesterov:
            # The authors' code divides gradients by the mean of their sizes, not by the sum as the
            # formula says, by which this would look hardly ahead.
            step_size = per_example(state["step_size"], points)
            points += step_size * self.decay * _unit(state["momentum"], self.norm)
        logits, gradient = self._mean_gradient(batch, state, points, step)
        if self.neighbours:
            around = self._neighbours(batch, state, points, step)
            # This step uses the variance of the last one; the next step uses this one's.
            state["variance"], gradient = around - gradient, gradient + state["variance"]
        if self.translation:
            gradient = _smooth(gradient, self.translation)
        return None if self.nesterov else logits, gradient

    def _mean_gradient(
        self, batch: AttackBatch, state: State, points: tf.Tensor, step: tf.Tensor
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        """The gradient at the points, or its mean over copies; logits if they are of the points."""

        def value(logits: tf.Tensor) -> tf.Tensor:
            return batch.gain(logits, state["labels"], self.loss)

        if not self.diversity and self.scales == 1:
            logits, _, gradient = batch.gradient(points, value, self.samples)
            return logits, gradient
        total = tf.zeros_like(points)
        for number in range(self.scales):

            def change(images: tf.Tensor, number: int = number) -> tf.Tensor:
                if self.diversity:
                    images = self._copy(images, state["keys"], step)
                return images / 2.0**number

            total += batch.gradient_through(change, points, value, self.samples)[2]
        return None, total / float(self.scales)

    def _neighbours(
        self, batch: AttackBatch, state: State, points: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """The mean gradient at random neighbours of the points."""
        reach = self.spread * state["epsilon"]

        def add(k, total):
            draw = step * self.neighbours + k
            noise = random_change(points, state["keys"], reach, self.norm, "neighbour", draw)
            return k + 1, total + self._mean_gradient(batch, state, points + noise, step)[1]

        _, total = tf.while_loop(
            lambda k, _: k < self.neighbours, add, (tf.constant(0), tf.zeros_like(points))
        )
        return total / float(self.neighbours)

    def _update(self, state: State, gradient: tf.Tensor) -> State:
        gradient = allowed(gradient, state)
        unit = gradient / per_example(tf.maximum(length(gradient, "l1"), 1e-12), gradient)
        momentum = self.decay * state["momentum"] + unit
        return super()._update({**state, "momentum": momentum}, momentum)

    def _copy(self, images: tf.Tensor, keys: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Some examples shrunk to a random size at a random place, on black."""
        chance, size, top, left = tf.unstack(
            example_random.uniform(keys, (4,), "copy", step), axis=1
        )
        size = (self.shrink + (1.0 - self.shrink) * size)[:, None]

        def weights(share: tf.Tensor, length: int) -> tf.Tensor:
            """Of the pixels of one axis in those of the copy, bilinear; (batch, length, length)."""
            pixels = tf.range(length, dtype=tf.float32)
            positions = (pixels - share[:, None] * (1.0 - size) * length) / size
            return tf.nn.relu(1.0 - tf.abs(positions[..., None] - pixels))

        # TensorFlow's ImageProjectiveTransformV3 does the same, but its gradient is wrong.
        height, width = images.shape[1:3]
        copies = along_both(images, weights(top, height), weights(left, width))
        return choose(chance < self.diversity, copies, images)


def _unit(momentum: tf.Tensor, norm: str) -> tf.Tensor:
    """The sum of gradients of length 1 in l1, in a scale in which a single one has length 1.

    In linf that is a mean size of 1; in l2 the sum is turned from its length in l1.
    """
    if norm == "l1":
        return momentum
    if norm == "linf":
        return momentum * tf.cast(tf.reduce_prod(tf.shape(momentum)[1:]), tf.float32)
    ratio = length(momentum, "l1") / tf.maximum(length(momentum, "l2"), 1e-12)
    return momentum * per_example(ratio, momentum)


def _smooth(gradient: tf.Tensor, side: int) -> tf.Tensor:
    """Convolves each channel with a Gaussian that ends at three standard deviations."""
    bell = np.exp(-0.5 * np.linspace(-3.0, 3.0, side) ** 2) if side > 1 else np.ones(1)
    kernel = np.outer(bell, bell) / np.sum(bell) ** 2
    kernel = np.repeat(kernel[:, :, None, None], gradient.shape[3], axis=2)
    return tf.nn.depthwise_conv2d(gradient, tf.constant(kernel, tf.float32), [1, 1, 1, 1], "SAME")
