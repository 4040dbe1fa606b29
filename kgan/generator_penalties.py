"""Regularisation of the generator: each adds a term to its loss, at every few steps."""

from typing import NamedTuple

import keras
import tensorflow as tf

import kgan.names
import kgan.random
from kgan.counter import unmoved


class Values(NamedTuple):
    """What a penalty comes to.

    Attributes:
        values: The penalty for weight 1: of each sample, (n,), or one that the weights alone
            decide, (1,).
        statistic: A scalar that the penalty remembers; 0 where it remembers none.
    """

    values: tf.Tensor
    statistic: tf.Tensor


class GeneratorPenalty(keras.layers.Layer):
    """What every penalty of a generator shares: its weight and its lazy interval.

    It is a layer, because what it remembers between steps is saved with the model. A subclass
    fills `evaluate`.

    Args:
        weight: The published coefficient, at least 0.
        interval: Apply the penalty at every `interval`-th step only, `interval` times as strong
            (Karras et al. 2020, arXiv:1912.04958, section 3.1).
    """

    def __init__(self, weight: float, *, interval: int = 1, **options):
        super().__init__(**{**options, "dtype": "float32"})
        if weight < 0:
            raise ValueError(f"weight must be at least 0, got {weight}.")
        if interval < 1:
            raise ValueError(f"interval must be at least 1, got {interval}.")
        self.weight = weight
        self.interval = interval
        self.built = True

    def check(self, generator: keras.Model) -> None:
        """Raises `ValueError` for a generator that it cannot regularise."""

    def evaluate(
        self, generator: keras.Model, latents: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor
    ) -> Values:
        """The penalty for weight 1; it moves no variable, as it may be skipped.

        Args:
            generator: The generator in training.
            latents: Those of the step, (batch, latent_dim).
            labels: Their classes, (batch,), or `None`.
            seed: From `kgan.random.step_seed`.
        """
        raise NotImplementedError

    def remember(self, statistic: tf.Tensor, due: tf.Tensor) -> None:
        """Takes note of the statistic, where the penalty was due."""

    def weighted(
        self,
        generator: keras.Model,
        latents: tf.Tensor,
        labels: tf.Tensor | None,
        *,
        seed: tf.Tensor,
        step: tf.Tensor,
    ) -> tf.Tensor:
        """The penalty at a step with its weight, (n,): zeros where it is not due."""

        def evaluate() -> Values:
            with kgan.random.drawing(seed), unmoved():
                return self.evaluate(generator, latents, labels, seed)

        if self.interval == 1:
            found, due = evaluate(), tf.constant(True)
        else:
            due = tf.equal(step % self.interval, 0)
            found = tf.cond(due, evaluate, lambda: self.nothing(latents))
        self.remember(found.statistic, due)
        return found.values * (self.weight * self.interval)

    def nothing(self, latents: tf.Tensor) -> Values:
        """Zeros of the shapes that `evaluate` gives."""
        return Values(tf.zeros([1]), tf.zeros([]))

    def get_config(self):
        config = {name: v for name, v in super().get_config().items() if name != "dtype"}
        return {**config, "weight": self.weight, "interval": self.interval}


@keras.saving.register_keras_serializable(package="kgan")
class PathLength(GeneratorPenalty):
    """weight * (|J_w^T n| - a)^2: a step in the styles changes the image equally everywhere.

    J is the images' Jacobian by the styles, n noise with deviation 1 / sqrt(pixels), and a the
    moving average of the lengths. It is measured on half a batch of new latents, mixed as in
    training. The average starts at the first lengths that are measured, which cost nothing; from 0
    on, as published, the penalty at first takes from a short training what the styles do.

    Args:
        weight: The published coefficient, for images in [-1, 1]: 2.
        interval: As for every penalty; published: 4.
        decay: Decay of the moving average of the lengths.

    Reference: Karras et al. 2019, section 3.2 (arXiv:1912.04958).
    """

    def __init__(self, weight: float = 2.0, *, interval: int = 1, decay: float = 0.99, **options):
        super().__init__(weight, interval=interval, **options)
        self.decay = decay
        self.average_length = self.add_weight(
            name="average_length",
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
        )

    def check(self, generator: keras.Model) -> None:
        if not {"mapping", "synthesis"} <= {layer.name for layer in generator.layers}:
            raise ValueError(
                "the penalty path_length must be given a generator with styles, whose layers "
                "mapping and synthesis it cuts apart (networks stylegan2), got "
                f"{generator.name} without them."
            )

    def evaluate(
        self, generator: keras.Model, latents: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor
    ) -> Values:
        mapping = generator.get_layer("mapping")
        synthesis = keras.Model(mapping.output, generator.get_layer("synthesis").output)
        half = _half(latents)
        drawn = tf.random.fold_in(seed, 1, alg="philox")
        fresh = kgan.random.normal(drawn, [half, latents.shape[1]])
        styles = mapping.mixed(fresh, None if labels is None else labels[::2][:half])
        with tf.GradientTape() as tape:
            tape.watch(styles)
            images = tf.cast(synthesis(styles, training=True), tf.float32)
            shape = images.shape[1:]
            noise = kgan.random.normal(tf.random.fold_in(seed, 2, alg="philox"), [half, *shape])
            total = tf.reduce_sum(images * noise) / (shape[0] * shape[1]) ** 0.5
        slopes = tf.cast(tape.gradient(total, styles), tf.float32)
        squares = tf.reduce_mean(tf.reduce_sum(tf.square(slopes), axis=2), axis=1)
        lengths = tf.sqrt(tf.maximum(squares, 1e-12))
        average = tf.convert_to_tensor(self.average_length)
        away = tf.where(average > 0.0, lengths - average, 0.0)
        return Values(tf.square(away), tf.stop_gradient(tf.reduce_mean(lengths)))

    def nothing(self, latents: tf.Tensor) -> Values:
        return Values(tf.zeros([_half(latents)]), tf.zeros([]))

    def remember(self, statistic: tf.Tensor, due: tf.Tensor) -> None:
        average = tf.convert_to_tensor(self.average_length)
        moved = average + (1.0 - self.decay) * (statistic - average)
        moved = tf.where(average > 0.0, moved, statistic)
        self.average_length.assign(tf.where(due, moved, average))

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}


@keras.saving.register_keras_serializable(package="kgan")
class Orthogonal(GeneratorPenalty):
    """weight / 2 * |W W^T without its diagonal|^2, for every kernel W (outputs, rest).

    Embeddings of classes are left out. Truncated latents then give whole images more often.

    Args:
        weight: The published coefficient: 1e-4.

    Reference: Brock et al. 2019, equation 3 (arXiv:1809.11096); the factor as in the authors' code,
    which adds 2 weight (W W^T * (1 - I)) W to the gradient.
    """

    def __init__(self, weight: float = 1e-4, **options):
        super().__init__(weight, **options)

    def evaluate(
        self, generator: keras.Model, latents: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor
    ) -> Values:
        check_kernels(generator)
        total = tf.zeros([])
        for variable in generator.trainable_variables:
            if variable.name == "kernel":
                kernel = tf.cast(tf.convert_to_tensor(variable), tf.float32)
                rows = tf.transpose(tf.reshape(kernel, [-1, kernel.shape[-1]]))
                product = tf.linalg.matmul(rows, rows, transpose_b=True)
                between = tf.linalg.set_diag(product, tf.zeros([rows.shape[0]]))
                total += 0.5 * tf.reduce_sum(tf.square(between))
        return Values(total[None], tf.zeros([]))


GENERATOR_PENALTIES: dict[str, type[GeneratorPenalty]] = {
    "path_length": PathLength,
    "orthogonal": Orthogonal,
}


def get(name: str, weight: float, **options) -> GeneratorPenalty:
    """A penalty of the generator by its key in `GENERATOR_PENALTIES`."""
    return kgan.names.look_up("generator penalty", name, GENERATOR_PENALTIES)(weight, **options)


def check_kernels(generator: keras.Model) -> None:
    """Raises `ValueError` for a generator that does not compute with its kernels as they are.

    `Orthogonal` asks where it trains, so that what was saved with it before still loads.
    """
    # Equalised ones are of deviation 1 and more, and what is computed with is far smaller.
    if any(getattr(layer, "equalized", False) for layer in generator._flatten_layers()):
        raise ValueError(
            "the penalty orthogonal must be given a generator whose layers compute with their "
            f"kernels as they are, got {generator.name}, which scales them where they are used "
            "(equalised learning rate: networks stylegan2, progan). Leave it out."
        )


def _half(latents: tf.Tensor) -> tf.Tensor:
    return tf.maximum(tf.shape(latents)[0] // 2, 1)
