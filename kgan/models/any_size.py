"""Networks of images whose size is free: those whose layers look at a neighbourhood alone."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

# Keras's own whose outputs have a size that their inputs alone decide. Layers of kgan, or of a
# user, say so themselves by an attribute `any_size`.
_ANY_SIZE = (
    layers.InputLayer,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.AveragePooling2D,
    layers.MaxPooling2D,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.Rescaling,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianNoise,
    layers.Add,
    layers.Average,
    layers.Concatenate,
    layers.Multiply,
    layers.Subtract,
    layers.Identity,
)


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What sizes of images a network takes.

    Attributes:
        unit: Sides are multiples of it inside; images of others are mirrored at their end until
            they are, and the result is cut.
        least: The smallest side.
        factor: How many times as large its images are.
    """

    unit: int
    least: int
    factor: int


def sizes(network: keras.Model) -> Sizes | None:
    """What sizes a network takes besides that of its input; `None` where it takes that alone.

    Args:
        network: Functional or Sequential model of images to images.
    """
    given, made = network.inputs[0].shape, network.outputs[0].shape
    if len(given) != 4 or len(made) != 4 or None in given[1:3]:
        return None
    if made[1] % given[1] or made[2] * given[1] != given[2] * made[1]:
        return None
    found = operations(network)
    if not all(_is_free(one) for one in found):
        return None
    height = given[1]
    unit = 1
    for one in found:
        if _strides(one) > 1:
            unit = math.lcm(unit, max(1, height // _height(one.output)))
    # Reflection cannot reach across the image.
    reach = [
        max(1, height // _height(one.input)) * (one.padding + 1)
        for one in found
        if isinstance(getattr(one, "padding", None), int)
    ]
    return Sizes(unit, max([2 * unit if unit > 1 else 1, *reach]), made[1] // height)


def free(network: keras.Model, of: Sizes) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function of images of any size, which the network translates in inference mode.

    Args:
        network: The network.
        of: Its sizes.

    Returns:
        A graph function of images (batch, height, width, channels), which raises
        `tf.errors.InvalidArgumentError` for images that are too small.
    """
    channels = network.inputs[0].shape[-1]

    # Where the sizes are not known Keras does not compare them with the network's own.
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, channels], tf.float32)])
    def translate(images: tf.Tensor) -> tf.Tensor:
        return padded(lambda shown: network(shown, training=False), images, of)

    return translate


def padded(translate: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, of: Sizes) -> tf.Tensor:
    """What a network makes of images whose sides are no multiples of its unit, in a graph."""
    sides = tf.shape(images)[1:3]
    enough = tf.debugging.Assert(
        tf.reduce_all(sides >= of.least),
        [f"images must have sides of at least {of.least}, got", sides],
    )
    with tf.control_dependencies([enough]):
        missing = -sides % of.unit
    padding = [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]]
    shown = tf.pad(images, padding, mode="SYMMETRIC")
    made = translate(tf.ensure_shape(shown, [None, None, None, images.shape[-1]]))
    return made[:, : sides[0] * of.factor, : sides[1] * of.factor]


def operations(network: keras.Model) -> list[Any]:
    """All operations of a network and of the networks inside."""
    found = []
    inside = network.layers if isinstance(network, keras.Sequential) else network.operations
    for one in inside:
        if isinstance(one, keras.Model):
            found += operations(one)
        else:
            found.append(one)
    return found


def _is_free(operation: Any) -> bool:
    if isinstance(operation, layers.UpSampling2D):
        return operation.interpolation == "nearest"
    if isinstance(operation, layers.Concatenate):
        return operation.axis in (-1, 3)
    return type(operation) in _ANY_SIZE or bool(getattr(operation, "any_size", False))


def _strides(operation: Any) -> int:
    if isinstance(operation, layers.Conv2DTranspose):
        return 1
    strides = getattr(operation, "strides", 1)
    return strides if isinstance(strides, int) else max(strides)


def _height(tensor: Any) -> int:
    return (tensor[0] if isinstance(tensor, list) else tensor).shape[1]
