"""Generators whose images keep something of what they are given: what is known, nearly all, or its
brightness.
"""

import keras
import tensorflow as tf

_REC_601 = [[0.299], [0.587], [0.114]]


@keras.saving.register_keras_serializable(package="kgan")
class Blank(keras.layers.Layer):
    """Images whose last channel marks what is known; whatever lies where it is not becomes grey.

    Shapes: (batch, height, width, channels) to the same.
    """

    any_size = True

    def call(self, inputs):
        known = inputs[..., -1:]
        return tf.concat([inputs[..., :-1] * known + 0.5 * (1.0 - known), known], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="kgan")
class KeepKnown(keras.layers.Layer):
    """Of two images the first where its last channel says that it is known, else the second.

    Shapes: [(batch, height, width, channels + 1), (batch, height, width, channels)] to the latter.
    """

    any_size = True

    def call(self, inputs):
        given, made = inputs
        known = tf.cast(given[..., -1:], made.dtype)
        return known * tf.cast(given[..., :-1], made.dtype) + (1.0 - known) * made

    def compute_output_shape(self, input_shape):
        return input_shape[1]


@keras.saving.register_keras_serializable(package="kgan")
class AddToImage(keras.layers.Layer):
    """Adds to an image what a network in [0, 1] made, of which 0.5 changes nothing.

    The sum is cut to [0, 1]; the gradient is that of the uncut one, so that a pixel that was cut
    can come back.

    Args:
        factor: How many times as large the second image is; the first is enlarged bilinearly.

    Shapes: [(batch, height, width, channels), (batch, factor height, factor width, channels)] to
    the latter.
    """

    any_size = True

    def __init__(self, factor: int = 1, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        images, made = inputs
        images = tf.cast(images, made.dtype)
        if self.factor != 1:
            shape = tf.shape(images)
            sides = [shape[1] * self.factor, shape[2] * self.factor]
            images = tf.image.resize(images, sides)
        return _cut(images + (2.0 * made - 1.0))

    def compute_output_shape(self, input_shape):
        return input_shape[1]

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="kgan")
class KeepBrightness(keras.layers.Layer):
    """Gives a grey image the colours of another one: the luma (Rec. 601) stays the grey image's.

    Mid-grey, 0.5, has no colour; the range is twice that of images either way. The result is cut to
    [0, 1] as `AddToImage` does it, which alone can change the luma.

    Shapes: [(batch, height, width, any), (batch, height, width, 3)] to the latter; of the first
    image its first channel is the grey one.
    """

    any_size = True

    def call(self, inputs):
        given, made = inputs
        colours = 2.0 * made - 1.0
        luma = tf.tensordot(colours, tf.constant(_REC_601, made.dtype), axes=1)
        return _cut(tf.cast(given[..., :1], made.dtype) + colours - luma)

    def compute_output_shape(self, input_shape):
        return input_shape[1]


def _cut(images: tf.Tensor) -> tf.Tensor:
    return images + tf.stop_gradient(tf.clip_by_value(images, 0.0, 1.0) - images)


def keeping_known(generator: keras.Model) -> keras.Model:
    """The generator, which fills the holes of images alone: what is known stays as it is.

    Args:
        generator: Of images with a last channel that is 1 where they are known and 0 in holes, to
            images without that channel.
    """
    images = keras.Input(generator.input_shape[1:], name="images")
    made = generator(Blank()(images))
    kept = KeepKnown(dtype="float32", name="restored")([images, made])
    return keras.Model(images, kept, name="keeping_known")


def residual(generator: keras.Model) -> keras.Model:
    """The generator, which finds the difference from its input, of twice its range either way.

    Args:
        generator: Of images to images of as many channels, of their size or of a multiple of it.
    """
    [images], [made] = generator.inputs, generator.outputs
    factor = made.shape[1] // images.shape[1]
    total = AddToImage(factor, dtype="float32", name="restored")([images, made])
    return keras.Model(images, total, name="residual")


def keeping_brightness(generator: keras.Model) -> keras.Model:
    """The generator, which colours grey images and leaves their brightness alone.

    Args:
        generator: Of images whose first channel is grey to images of three channels.
    """
    [images], [made] = generator.inputs, generator.outputs
    coloured = KeepBrightness(dtype="float32", name="restored")([images, made])
    return keras.Model(images, coloured, name="keeping_brightness")


def everything(generator: keras.Model) -> keras.Model:
    """The generator as it is, which makes the whole image."""
    return generator


KEEPING = {
    "nothing": everything,
    "known": keeping_known,
    "residual": residual,
    "brightness": keeping_brightness,
}
"""What of its input a generator's image has, by the names of `kgan.data.Restoration.keeps`."""
