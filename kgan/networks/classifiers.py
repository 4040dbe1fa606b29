"""Classifiers to attack and to harden: images in [0, 1] to logits."""

from collections.abc import Callable

import keras
from keras import layers


def small_cnn(
    image_shape: tuple[int, int, int], num_classes: int, *, width: int = 32
) -> keras.Model:
    """Two convolutions and two dense layers: enough for digits of 8 to 64 pixels.

    Without batch normalisation, so that an image's logits never depend on a state.

    Args:
        image_shape: (height, width, channels).
        num_classes: Number of classes.
        width: Channels of the first convolution; the second has twice as many.

    Returns:
        A functional model of `images` (batch, height, width, channels) in [0, 1] to logits
        (batch, num_classes).
    """
    images = _images(image_shape, num_classes)
    features = layers.Rescaling(2.0, -1.0)(images)
    for channels in (width, 2 * width):
        features = layers.Conv2D(channels, 3, padding="same", activation="relu")(features)
        features = layers.MaxPooling2D(2, padding="same")(features)
    features = layers.Flatten()(features)
    features = layers.Dense(4 * width, activation="relu")(features)
    features = layers.Dropout(0.25)(features)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(images, logits, name="small_cnn")


def strided_cnn(
    image_shape: tuple[int, int, int], num_classes: int, *, width: int = 16
) -> keras.Model:
    """Two strided convolutions and two dense layers: small and fast, for adversarial training.

    All weights start uniform within 1 / sqrt(fan in), biases too, as published (PyTorch's default).
    That is not a detail: in our trials on MNIST at epsilon 0.3 (one seed each), one-step training
    that started from Glorot's weights and zero biases lost its robustness.

    Args:
        image_shape: (height, width, channels).
        num_classes: Number of classes.
        width: Channels of the first convolution; the second has twice as many.

    Returns:
        A functional model of `images` (batch, height, width, channels) in [0, 1] to logits
        (batch, num_classes).

    Reference:
        Wong et al., "Fast is better than free", 2020, section 5.1 (the network for MNIST).
    """
    images = _images(image_shape, num_classes)

    def small(inputs: int):
        limit = inputs**-0.5
        return {
            "kernel_initializer": keras.initializers.RandomUniform(-limit, limit),
            "bias_initializer": keras.initializers.RandomUniform(-limit, limit),
        }

    features = images
    for channels in (width, 2 * width):
        fan_in = 16 * features.shape[-1]
        features = layers.Conv2D(
            channels, 4, strides=2, padding="same", activation="relu", **small(fan_in)
        )(features)
    features = layers.Flatten()(features)
    features = layers.Dense(100, activation="relu", **small(features.shape[-1]))(features)
    logits = layers.Dense(num_classes, dtype="float32", name="logits", **small(100))(features)
    return keras.Model(images, logits, name="strided_cnn")


def lenet(image_shape: tuple[int, int, int], num_classes: int, *, width: int = 32) -> keras.Model:
    """A LeNet with ReLUs: its 84 features before the logits serve as those of a score.

    The kernels are 5x5, and 3x3 for images of less than 16 pixels. Without dropout and batch
    normalisation, so that an image's features depend on nothing but the image.

    Args:
        image_shape: (height, width, channels).
        num_classes: Number of classes.
        width: Channels of the first convolution; the second has twice as many.

    Returns:
        A functional model of `images` (batch, height, width, channels) in [0, 1] to logits
        (batch, num_classes); its layer `features` is the last one before those.

    Reference:
        LeCun et al. 1998, "Gradient-based learning applied to document recognition", figure 2.
    """
    images = _images(image_shape, num_classes)
    kernel = 5 if min(image_shape[:2]) >= 16 else 3
    features = layers.Rescaling(2.0, -1.0)(images)
    for channels in (width, 2 * width):
        features = layers.Conv2D(channels, kernel, padding="same", activation="relu")(features)
        features = layers.MaxPooling2D(2, padding="same")(features)
    features = layers.Flatten()(features)
    features = layers.Dense(120, activation="relu")(features)
    features = layers.Dense(84, activation="relu", name="features")(features)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(images, logits, name="lenet")


def resnet_classifier(
    image_shape: tuple[int, int, int], num_classes: int, *, width: int = 32, blocks: int = 2
) -> keras.Model:
    """A residual network with pre-activation, for small colour images.

    Three stages of `blocks` residual blocks; each stage after the first halves the maps and doubles
    the channels.

    Args:
        image_shape: (height, width, channels).
        num_classes: Number of classes.
        width: Channels of the first stage.
        blocks: Residual blocks in a stage.

    Returns:
        A functional model of `images` (batch, height, width, channels) in [0, 1] to logits
        (batch, num_classes).

    Reference:
        He et al., "Identity mappings in deep residual networks", 2016, figure 1b.
    """
    images = _images(image_shape, num_classes)

    def convolution(features, channels, strides=1):
        return layers.Conv2D(
            channels,
            3,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
        )(features)

    def activate(features):
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(features))

    features = layers.Rescaling(2.0, -1.0)(images)
    features = convolution(features, width)
    for stage in range(3):
        channels = width * 2**stage
        for block in range(blocks):
            strides = 2 if stage > 0 and block == 0 else 1
            shortcut, residual = features, activate(features)
            if strides > 1:
                shortcut = layers.Conv2D(channels, 1, strides=strides, use_bias=False)(residual)
            residual = activate(convolution(residual, channels, strides))
            features = layers.Add()([shortcut, convolution(residual, channels)])
    features = layers.GlobalAveragePooling2D()(activate(features))
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(images, logits, name="resnet_classifier")


def _images(image_shape: tuple[int, int, int], num_classes: int):
    if len(image_shape) != 3:
        raise ValueError(f"image_shape must be (height, width, channels), got {image_shape}.")
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}.")
    return keras.Input(image_shape, name="images")


CLASSIFIERS: dict[str, Callable[..., keras.Model]] = {
    "small_cnn": small_cnn,
    "strided_cnn": strided_cnn,
    "lenet": lenet,
    "resnet": resnet_classifier,
}
