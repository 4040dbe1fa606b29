"""A network that maps an image to a perturbation: an encoder, residual blocks and a decoder."""

import math

import keras
from keras import layers

# Smaller images are halved once, so that the residual blocks still see where things are.
_HALVED_TWICE = 16


def perturbation_network(
    image_shape: tuple[int, int, int],
    *,
    num_classes: int | None = None,
    epsilon: bool = False,
    width: int = 8,
    blocks: int = 4,
    normalization: str | None = "instance",
) -> keras.Model:
    """An encoder and decoder that proposes a perturbation for an image.

    Args:
        image_shape: (height, width, channels), of any size and any number of channels.
        num_classes: Number of classes where the perturbation depends on a class to reach, else
            `None`.
        epsilon: Whether the perturbation depends on how large it may become.
        width: Channels at the image's resolution; each halving doubles them.
        blocks: Residual blocks at the lowest resolution. They are told class and epsilon.
        normalization: "instance", or `None` for none.

    Returns:
        A functional model of `images` (batch, height, width, channels) in [0, 1] to values of the
        same shape in [-1, 1]. With conditions it takes a list: `images`, then `targets` (batch,)
        where there are classes, then `epsilon_share` (batch,), a share of the largest epsilon in
        [0, 1].

    Reference:
        Xiao et al., "Generating adversarial examples with adversarial networks", 2018, section
        4.1; the architecture is that of Johnson et al., "Perceptual losses for real-time style
        transfer and super-resolution", 2016.
    """
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(f"image_shape must be (height, width, channels), got {image_shape}.")
    if normalization not in ("instance", None):
        raise ValueError(f"normalization must be 'instance' or None, got {normalization!r}.")
    images = keras.Input(image_shape, name="images")
    inputs, condition = [images], []
    if num_classes is not None:
        inputs.append(keras.Input((), dtype="int32", name="targets"))
        condition.append(layers.Embedding(num_classes, 8 * width, name="target")(inputs[-1]))
    if epsilon:
        inputs.append(keras.Input((), name="epsilon_share"))
        condition.append(layers.Reshape((1,))(inputs[-1]))

    def convolution(features, channels: int, strides: int = 1, kind=layers.Conv2D):
        features = kind(
            channels, 3, strides=strides, padding="same", use_bias=normalization is None
        )(features)
        if normalization is not None:
            features = layers.GroupNormalization(groups=-1, epsilon=1e-5)(features)
        return features

    def modulate(features):
        """A scale and an offset for each channel, from the conditions."""
        if not condition:
            return features
        joined = layers.Concatenate()(condition) if len(condition) > 1 else condition[0]
        hidden = layers.Dense(8 * width, activation="relu")(joined)
        shape = (1, 1, features.shape[-1])
        scale, offset = (
            layers.Reshape(shape)(layers.Dense(features.shape[-1])(hidden)) for _ in range(2)
        )
        return layers.Add()([features, layers.Multiply()([features, scale]), offset])

    halvings = 2 if min(image_shape[:2]) >= _HALVED_TWICE else 1
    features = layers.Rescaling(2.0, -1.0)(images)
    features = layers.ReLU()(convolution(features, width))
    for stage in range(1, halvings + 1):
        features = layers.ReLU()(convolution(features, width * 2**stage, 2))
    for _ in range(blocks):
        residual = layers.ReLU()(modulate(convolution(features, features.shape[-1])))
        residual = convolution(residual, features.shape[-1])
        features = layers.Add()([features, residual])
    for stage in range(halvings - 1, -1, -1):
        features = convolution(features, width * 2**stage, 2, layers.Conv2DTranspose)
        features = layers.ReLU()(features)
    features = layers.Conv2D(image_shape[-1], 3, padding="same", dtype="float32")(features)
    crop = []
    for side in image_shape[:2]:
        extra = math.ceil(side / 2**halvings) * 2**halvings - side
        crop.append((extra // 2, extra - extra // 2))
    if any(side for axis in crop for side in axis):
        features = layers.Cropping2D(tuple(crop), dtype="float32")(features)
    outputs = layers.Activation("tanh", dtype="float32", name="perturbation")(features)
    return keras.Model(inputs if condition else images, outputs, name="perturbation_network")
