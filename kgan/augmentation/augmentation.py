"""What every augmentation shares: its arguments, and the one change of units."""

import keras
import tensorflow as tf

import kgan.random


class Augmentation(keras.layers.Layer):
    """Changes of images through which the discriminator sees real and generated ones alike.

    The generator's gradient passes through them, so they must be differentiable. A subclass fills
    `change`, in published units: images in [-1, 1], 0 in the middle. Images in [0, 1] are turned
    into such ones and back here alone.

    An adaptive one moves its strength by what the discriminator says of real images: a model calls
    `observe` with its margins and `adapt` at the end of each step.

    Shapes: images (batch, height, width, channels) in [0, 1] and a seed (2,) from
    `kgan.random.step_seed`, to images of the same shape, which may leave [0, 1]. What is done to
    an image is a function of the seed and its position in the global batch.
    """

    adaptive = False

    def __init__(self, **options):
        super().__init__(**{**options, "dtype": "float32"})
        self.built = True

    def call(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if not images.dtype.is_floating:
            raise TypeError(
                f"{self.name} changes float images in [0, 1], got {images.dtype.name}: divide by "
                "255."
            )
        return 0.5 * self.change(2.0 * images - 1.0, seed) + 0.5

    def change(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The images in [-1, 1], changed."""
        raise NotImplementedError

    def observe(self, margins: tf.Tensor) -> None:
        """Takes note of how far the discriminator puts changed real images on the real side.

        Args:
            margins: Shape (batch,), as `kgan.losses.AdversarialLoss.margins` gives them.
        """

    def adapt(self, step: tf.Tensor, images: tf.Tensor) -> None:
        """Moves the strength at the end of a step.

        Args:
            step: Steps done before this one.
            images: Real images in the global batch of a step, a scalar.
        """

    def logs(self) -> dict[str, tf.Tensor]:
        """What is worth watching, by name; nothing by default."""
        return {}

    def get_config(self):
        config = super().get_config()
        return {name: value for name, value in config.items() if name != "dtype"}


def draw(seed: tf.Tensor, number: int, images: tf.Tensor, *, count: int = 1) -> list[tf.Tensor]:
    """Draws from U(0, 1) for each image: `count` tensors (batch,).

    Args:
        seed: Of the augmentation.
        number: Which of its draws this is.
        images: Shape (batch, ...).
        count: How many an image needs.
    """
    folded = tf.random.fold_in(seed, number, alg="philox")
    return tf.unstack(kgan.random.uniform(folded, [tf.shape(images)[0], count]), count, axis=1)
