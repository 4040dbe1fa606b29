"""Purifying images by projecting them onto the range of a trained generator."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.latents
import kgan.random
from kgan.attacks.attack_run import pad
from kgan.attacks.bpda import straight_through
from kgan.attacks.checks import check_count, check_images
from kgan.models import GAN


@keras.saving.register_keras_serializable(package="kgan")
class DefenseGAN(keras.Model):
    """A classifier that replaces each image by the generator's closest image to it.

    A generator of real images cannot produce adversarial noise, so the projection removes the noise
    of an attacker who does not know of the defence. Calling this model runs the whole defence:
    the projection, then the classifier. Its gradient takes the projection for the identity
    (BPDA, the backward pass differentiable approximation), or with `unrolled` is the projection's
    own. So an attack on this model is the adaptive attack, and an attack on the classifier the
    naive one:

    ```python
    defense = kgan.defenses.DefenseGAN(gan, classifier, steps=100, restarts=10)
    adaptive = kgan.attacks.PGD(0.3)(defense, images, labels)
    naive = kgan.attacks.PGD(0.3)(classifier, images, labels)
    print(kgan.defenses.purification_report(defense, images, labels, attack=kgan.attacks.PGD(0.3)))
    ```

    The projection is a descent on the latents by Adam, whose rate falls to zero as a cosine, from
    `restarts` starts. The starts are the same for every image, so the projection depends only on
    the image and the seed, and its robustness cannot come from random answers. The starts of a
    conditional generator use its classes in turn.

    Args:
        gan: A trained `kgan.models.GAN` of images; its averaged generator is used.
        classifier: A Keras classifier of the same images in [0, 1].
        steps: Steps of the descent (L in the paper).
        restarts: Starts of the descent (R); the best end is kept for each image. A conditional
            generator needs at least one for each class.
        learning_rate: Adam's learning rate at the first step, in units of latents from N(0, 1).
        unrolled: Number of steps, the last ones of the best descent, that the gradient is taken
            through. 0 takes the projection for the identity, which is cheaper by far; an attacker
            tries both.
        seed: Seed of the starts.

    Reference:
        Samangouei et al., "Defense-GAN", 2018, section 3; Athalye et al., "Obfuscated gradients
        give a false sense of security", 2018, section 4.1 (BPDA).
    """

    def __init__(
        self,
        gan: GAN,
        classifier: keras.Model,
        *,
        steps: int = 100,
        restarts: int = 10,
        learning_rate: float = 0.3,
        unrolled: int = 0,
        seed: int = 0,
        **options,
    ):
        super().__init__(**options)
        if not isinstance(gan, GAN):
            raise TypeError(f"gan must be a kgan.models.GAN, got {type(gan).__name__}.")
        if not isinstance(classifier, keras.Model):
            raise TypeError(f"classifier must be a keras.Model, got {type(classifier).__name__}.")
        wanted = getattr(classifier, "input_shape", None)
        if wanted is not None and not _fits(gan.sample_shape, wanted[1:]):
            raise ValueError(
                f"classifier {classifier.name} must take the generator's images "
                f"{gan.sample_shape}, takes {tuple(wanted[1:])}."
            )
        self.gan = gan
        self.classifier = classifier
        self.steps = check_count("steps", steps)
        self.restarts = check_count("restarts", restarts)
        if gan.num_classes is not None and restarts < gan.num_classes:
            raise ValueError(
                f"restarts must be at least {gan.num_classes}, one for each class of the "
                f"generator, got {restarts}."
            )
        if not learning_rate > 0:
            raise ValueError(f"learning_rate must be more than 0, got {learning_rate}.")
        self.learning_rate = float(learning_rate)
        self.unrolled = check_count("unrolled", unrolled, 0)
        if unrolled > steps:
            raise ValueError(f"unrolled must be at most steps={steps}, got {unrolled}.")
        self.seed = kgan.random.check_seed(seed)
        # The starts of more restarts begin with those of fewer.
        self._starts = kgan.latents.from_seeds(
            kgan.latents.example_seeds(self.seed, restarts), gan.latent_dim
        ).numpy()
        self._project = tf.function(
            self._descend,
            autograph=False,
            input_signature=[tf.TensorSpec([None, *gan.sample_shape], tf.float32)],
        )
        self.built = True

    # What a user asks

    def project(self, images: Any, *, batch_size: int = 64) -> tuple[np.ndarray, np.ndarray]:
        """The generator's closest images, and their distances to the images.

        Args:
            images: float32 (n, ...) in [0, 1].
            batch_size: Images projected at a time; `restarts` times as many are generated.

        Returns:
            float32 array of the same shape, and the mean squared distances, shape (n,).
        """
        images = check_images(images)
        check_count("batch_size", batch_size)
        if images.shape[1:] != self.gan.sample_shape:
            raise ValueError(
                f"images must have the generator's shape {self.gan.sample_shape}, "
                f"got {images.shape[1:]}."
            )
        purified, errors = np.empty_like(images), np.empty(len(images), np.float32)
        for start in range(0, len(images), batch_size):
            rows = np.arange(start, min(start + batch_size, len(images)))
            found = self._project(tf.constant(images[pad(rows, batch_size)]))
            purified[rows], errors[rows] = (part.numpy()[: len(rows)] for part in found)
        return purified, errors

    def purify(self, images: Any, *, batch_size: int = 64) -> np.ndarray:
        """The generator's closest images; arguments as for `project`."""
        return self.project(images, batch_size=batch_size)[0]

    def reconstruction_error(self, images: Any, *, batch_size: int = 64) -> np.ndarray:
        """The mean squared distance of each image to its projection, shape (n,)."""
        return self.project(images, batch_size=batch_size)[1]

    def threshold(
        self, images: Any, *, false_positive_rate: float = 0.05, batch_size: int = 64
    ) -> float:
        """The reconstruction error that at most this share of clean images exceeds.

        Args:
            images: Clean images, not those that the detector is judged on.
            false_positive_rate: In [0, 1).
            batch_size: As for `project`.
        """
        if not 0.0 <= false_positive_rate < 1.0:
            raise ValueError(f"false_positive_rate must be in [0, 1), got {false_positive_rate}.")
        errors = self.reconstruction_error(images, batch_size=batch_size)
        if not len(errors):
            raise ValueError("images must not be empty.")
        return float(np.quantile(errors, 1.0 - false_positive_rate, method="higher"))

    def detect(self, images: Any, threshold: float, *, batch_size: int = 64) -> np.ndarray:
        """Which images lie farther than `threshold` from what the generator can make, bool (n,)."""
        return self.reconstruction_error(images, batch_size=batch_size) > threshold

    def call(self, images, training=False):
        """The classifier's outputs on the projections, with the gradient that `unrolled` says."""
        images = tf.cast(images, tf.float32)
        if self.unrolled:
            return self.classifier(self._unroll(images), training=training)
        purified, _ = self._project(images)
        return self.classifier(straight_through(images, purified), training=training)

    # The projection

    def _descend(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The projections (batch, ...) and their mean squared errors (batch,)."""
        _, made, errors = self._best(tf.stop_gradient(images), self.steps)
        return tf.stop_gradient(made), tf.stop_gradient(errors)

    def _unroll(self, images: tf.Tensor) -> tf.Tensor:
        """The projections, with the gradient through the last steps of the best descent."""
        early = self.steps - self.unrolled
        state, _, _ = self._best(tf.stop_gradient(images), early)
        state = tf.nest.map_structure(tf.stop_gradient, state)
        latents = self._run(images, state, early, self.steps)["latents"]
        return tf.ensure_shape(self.gan(latents, state.get("labels")), images.shape)

    def _best(
        self, images: tf.Tensor, until: int
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        """The descents from all starts, and the best of each image.

        Args:
            images: The images (batch, ...).
            until: The step whose state is returned.

        Returns:
            The state of the best descent after `until` steps, its projection in the end
            (batch, ...), and the mean squared error of that (batch,).
        """
        batch = tf.shape(images)[0]
        # Row r * batch + i is image i from start r.
        wanted = tf.tile(images, [self.restarts] + [1] * (images.shape.rank - 1))
        latents = tf.repeat(self._starts, batch, axis=0)
        state = {
            "latents": latents,
            "mean": tf.zeros_like(latents),
            "square": tf.zeros_like(latents),
        }
        if self.gan.num_classes is not None:
            dealt = tf.range(self.restarts) % self.gan.num_classes
            state["labels"] = tf.repeat(dealt, batch)
        middle = self._run(wanted, state, 0, until)
        end = self._run(wanted, middle, until, self.steps)
        made, errors = self._error(wanted, end)
        errors = tf.reshape(errors, [self.restarts, batch])
        rows = tf.argmin(errors, axis=0, output_type=tf.int32) * batch + tf.range(batch)
        best = {name: tf.gather(value, rows) for name, value in middle.items()}
        purified = tf.ensure_shape(tf.gather(made, rows), images.shape)
        return best, purified, tf.reduce_min(errors, axis=0)

    def _error(self, images: tf.Tensor, state: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """What the latents make, and its mean squared distance to the images (batch,)."""
        made = self.gan(state["latents"], state.get("labels"))
        return made, tf.reduce_mean(tf.square(made - images), axis=range(1, images.shape.rank))

    def _run(
        self, images: tf.Tensor, state: dict[str, tf.Tensor], begin: int, end: int
    ) -> dict[str, tf.Tensor]:
        """The steps of Adam from `begin` to `end`, with a gradient to the images."""

        def step(i: tf.Tensor, state: dict[str, tf.Tensor]):
            latents = state["latents"]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(latents)
                _, errors = self._error(images, {**state, "latents": latents})
            gradient = tape.gradient(errors, latents)
            # Adam: a generator's gradients differ in size by orders from one latent to the next.
            mean = 0.9 * state["mean"] + 0.1 * gradient
            square = 0.999 * state["square"] + 0.001 * tf.square(gradient)
            time = tf.cast(i, tf.float32)
            rate = 0.5 * self.learning_rate * (1.0 + tf.cos(np.pi * time / self.steps))
            mean_now = mean / (1.0 - 0.9 ** (time + 1.0))
            square_now = square / (1.0 - 0.999 ** (time + 1.0))
            # The root of 0 has no derivative.
            size = tf.sqrt(tf.maximum(square_now, 1e-30)) + 1e-12
            latents -= rate * mean_now / size
            return i + 1, {**state, "latents": latents, "mean": mean, "square": square}

        if begin == end:
            return state
        return tf.while_loop(
            lambda i, _: i < end, step, (tf.constant(begin), state), maximum_iterations=end - begin
        )[1]

    def with_unrolled(self, unrolled: int) -> "DefenseGAN":
        """The same defence on the same networks, with another gradient."""
        names = ("steps", "restarts", "learning_rate", "seed")
        settings = {name: getattr(self, name) for name in names}
        return DefenseGAN(self.gan, self.classifier, unrolled=unrolled, **settings)

    # Saving

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "gan": serialize(self.gan),
            "classifier": serialize(self.classifier),
            "steps": self.steps,
            "restarts": self.restarts,
            "learning_rate": self.learning_rate,
            "unrolled": self.unrolled,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "DefenseGAN":
        config = dict(config)
        for name in ("gan", "classifier"):
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        return cls(**config)


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        want in (None, have) for have, want in zip(shape, wanted, strict=True)
    )
