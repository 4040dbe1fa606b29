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
    (BPDA, the backward pass differentiable approximation), so an attack on this model is the
    adaptive attack, and an attack on the classifier the naive one:

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
        """The classifier's outputs on the projections; the gradient is that at the projections."""
        purified, _ = self._project(tf.cast(images, tf.float32))
        return self.classifier(straight_through(images, purified), training=training)

    # The projection

    def _descend(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The projections (batch, ...) and their mean squared errors (batch,)."""
        images = tf.stop_gradient(images)
        batch = tf.shape(images)[0]
        # Row r * batch + i is image i from start r.
        wanted = tf.tile(images, [self.restarts] + [1] * (images.shape.rank - 1))
        latents = tf.repeat(self._starts, batch, axis=0)
        labels = None
        if self.gan.num_classes is not None:
            dealt = tf.range(self.restarts) % self.gan.num_classes
            labels = tf.repeat(dealt, batch)

        def error(latents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            made = self.gan(latents, labels)
            axes = list(range(1, images.shape.rank))
            return made, tf.reduce_mean(tf.square(made - wanted), axis=axes)

        def step(i, latents, mean, square):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(latents)
                _, errors = error(latents)
            gradient = tape.gradient(errors, latents)
            # Adam: a generator's gradients differ in size by orders from one latent to the next.
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * tf.square(gradient)
            time = tf.cast(i, tf.float32)
            rate = 0.5 * self.learning_rate * (1.0 + tf.cos(np.pi * time / self.steps))
            mean_now = mean / (1.0 - 0.9 ** (time + 1.0))
            square_now = square / (1.0 - 0.999 ** (time + 1.0))
            latents -= rate * mean_now / (tf.sqrt(square_now) + 1e-12)
            return i + 1, latents, mean, square

        zeros = tf.zeros_like(latents)
        _, latents, _, _ = tf.while_loop(
            lambda i, *_: i < self.steps, step, (tf.constant(0), latents, zeros, zeros)
        )
        made, errors = error(latents)
        errors = tf.reshape(errors, [self.restarts, batch])
        best = tf.argmin(errors, axis=0, output_type=tf.int32)
        columns = tf.range(batch)
        purified = tf.gather(made, best * batch + columns)
        purified = tf.ensure_shape(purified, images.shape)
        return tf.stop_gradient(purified), tf.stop_gradient(tf.reduce_min(errors, axis=0))

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
