"""From an image of one domain to one of another, and discriminators that judge patches."""

import keras
from keras import layers

from kgan.networks.blocks import BlockConv2D
from kgan.networks.normalization import InstanceNormalization
from kgan.networks.output_layers import to_images
from kgan.networks.padding import ReflectionPadding2D

_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}
_MOST_STAGES = 3
# Below, everything is on a smaller scale than published.
_SMALL = 32
# Channels of an image; a convolution of so few goes over blocks of pixels.
_FEW = 4


def translation_generator(
    image_shape: tuple[int, int, int],
    *,
    channels: int | None = None,
    width: int = 64,
    halvings: int | None = None,
    blocks: int | None = None,
) -> keras.Model:
    """A residual network from images to images of the same size.

    Convolutions halve the image, residual blocks work at the lowest resolution, and nearest
    neighbours followed by convolutions double it again: transposed convolutions would leave a
    checkerboard. Borders are reflected, and every map is normalised for itself (instance norm), so
    that no image of a batch depends on the others.

    Args:
        image_shape: (height, width, channels); the sides are divisible by 2 ** halvings.
        channels: Channels of the images it makes; by default as many as it is given.
        width: Channels at the image's resolution; each halving doubles them.
        halvings: How often the image is halved; by default 1 below 32 pixels, else 2, as
            published.
        blocks: Residual blocks; by default 3 below 32 pixels, and as published 6 up to 128, 9
            above.

    Returns:
        A functional model of `images` (batch, height, width, channels) in [0, 1] to such images.

    Raises:
        ValueError: For a size that it cannot take.

    Reference:
        Zhu et al. 2017, appendix 7.2 (arXiv:1703.10593).
    """
    side = max(image_shape[:2])
    if halvings is None:
        halvings = 1 if side < _SMALL else 2
    if blocks is None:
        blocks = 3 if side < _SMALL else 6 if side <= 128 else 9
    _check_sides(image_shape, halvings)

    def convolution(features, kernel: int, filters: int, *, strides: int = 1):
        features = ReflectionPadding2D(kernel // 2)(features)
        kind = BlockConv2D if features.shape[-1] <= _FEW else layers.Conv2D
        features = kind(
            filters, kernel, strides=strides, use_bias=False, kernel_initializer=_INITIALIZER
        )(features)
        return InstanceNormalization()(features)

    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    features = layers.ReLU()(convolution(features, 7, width))
    for stage in range(1, halvings + 1):
        features = layers.ReLU()(convolution(features, 3, width * 2**stage, strides=2))
    for _ in range(blocks):
        residual = layers.ReLU()(convolution(features, 3, features.shape[-1]))
        residual = convolution(residual, 3, features.shape[-1])
        features = layers.Add()([features, residual])
    for stage in range(halvings - 1, -1, -1):
        features = layers.UpSampling2D()(features)
        features = layers.ReLU()(convolution(features, 3, width * 2**stage))
    features = ReflectionPadding2D(3, dtype="float32")(features)
    features = BlockConv2D(
        channels or image_shape[-1], 7, kernel_initializer=_INITIALIZER, dtype="float32"
    )(features)
    return keras.Model(images, to_images(features, name="translated"), name="translation_generator")


def patch_discriminator(
    image_shape: tuple[int, int, int], *, width: int = 64, stages: int | None = None
) -> keras.Model:
    """A discriminator that gives a logit for each patch of an image.

    Args:
        image_shape: (height, width, channels), of sides of at least 3 * 2 ** stages.
        width: Channels after the first stage; each further stage doubles them, up to 8 times.
        stages: How often the image is halved, from 1 to 3; a patch has a side of 16, 34 or 70
            pixels then. By default 1 below 32 pixels, 2 below 128, else 3.

    Returns:
        A functional model of `images` in [0, 1] to logits (batch, rows, columns, 1).

    Raises:
        ValueError: For a size that it cannot take.

    Reference:
        Isola et al. 2017, appendix 6.1.2 (arXiv:1611.07004).
    """
    side = min(image_shape[:2])
    if stages is None:
        stages = 1 if side < _SMALL else 2 if side < 128 else 3
    if not 1 <= stages <= _MOST_STAGES:
        raise ValueError(f"stages must be 1, 2 or 3, got {stages}.")
    least = 3 * 2**stages
    if len(image_shape) != 3 or side < least:
        raise ValueError(
            f"image_shape must have sides of at least {least} for a patch discriminator of "
            f"{stages} stage{'s' * (stages > 1)}, got {image_shape}. Resize the images "
            "(--image-size), or take fewer stages."
        )
    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    for stage in range(stages + 1):
        # Published: padded by one pixel, so that an unstrided convolution of 4 loses one.
        features = layers.ZeroPadding2D(1)(features)
        kind = layers.Conv2D if stage else BlockConv2D
        features = kind(
            width * min(2**stage, 8),
            4,
            strides=2 if stage < stages else 1,
            use_bias=stage == 0,
            kernel_initializer=_INITIALIZER,
        )(features)
        if stage:
            features = InstanceNormalization()(features)
        features = layers.LeakyReLU(0.2)(features)
    features = layers.ZeroPadding2D(1, dtype="float32")(features)
    logits = layers.Conv2D(1, 4, kernel_initializer=_INITIALIZER, dtype="float32", name="logits")(
        features
    )
    return keras.Model(images, logits, name="patch_discriminator")


def multiscale_discriminator(
    image_shape: tuple[int, int, int],
    *,
    width: int = 64,
    stages: int | None = None,
    scales: int = 2,
) -> keras.Model:
    """Patch discriminators of an image and of smaller ones, each half as large as the one before.

    Args:
        image_shape: (height, width, channels); the smallest image must be large enough for the
            patches.
        width: As for `patch_discriminator`.
        stages: As for `patch_discriminator`; by default what suits the smallest image.
        scales: How many images are judged.

    Returns:
        A functional model of `images` in [0, 1] to a list of maps of logits, one a scale.

    Reference:
        Wang et al. 2018, section 3.2 (arXiv:1711.11585).
    """
    if scales < 1:
        raise ValueError(f"scales must be at least 1, got {scales}.")
    sides = [(image_shape[0] >> scale, image_shape[1] >> scale) for scale in range(scales)]
    if stages is None:
        stages = 1 if min(sides[-1]) < _SMALL else 2 if min(sides[-1]) < 128 else 3
    images = smaller = keras.Input(image_shape, name="images")
    maps = []
    for scale, shape in enumerate(sides):
        if scale:
            smaller = layers.AveragePooling2D(2)(smaller)
        judge = patch_discriminator((*shape, image_shape[-1]), width=width, stages=stages)
        judge.name = f"scale_{scale}"
        maps.append(judge(smaller))
    return keras.Model(images, maps, name="multiscale_discriminator")


def depths(generator: keras.Model) -> tuple[str, ...]:
    """Names of the layers of a residual generator whose features tell places from each other.

    They are the padded image, each convolution that halves it, and the first and the fifth (or the
    last) residual block.

    Args:
        generator: From `translation_generator`.

    Reference:
        Park et al. 2020, appendix C.1 (arXiv:2007.15651).
    """
    padded = [one.name for one in generator.layers if isinstance(one, ReflectionPadding2D)][:1]
    halving = [
        one.name
        for one in generator.layers
        if isinstance(one, layers.Conv2D) and max(one.strides) > 1
    ]
    blocks = [one.name for one in generator.layers if isinstance(one, layers.Add)]
    if not padded or not blocks:
        raise ValueError(
            f"the generator must be a residual network (resnet), got {generator.name}: its blocks "
            "tell which depths are compared."
        )
    return (*padded, *halving, *dict.fromkeys((blocks[0], blocks[min(4, len(blocks) - 1)])))


def _check_sides(image_shape: tuple[int, int, int], halvings: int) -> None:
    if halvings < 0:
        raise ValueError(f"halvings must be at least 0, got {halvings}.")
    factor = 2**halvings
    # A border of 3 is reflected at the image's size, of 1 at the lowest; neither may reach across.
    least = max(4, 2 * factor)
    sides = tuple(image_shape[:2])
    if len(image_shape) != 3 or min(sides) < least or any(side % factor for side in sides):
        raise ValueError(
            f"image_shape must have sides of at least {least} that are divisible by {factor} for a "
            f"generator that halves {halvings} times, got {image_shape}. Resize the images "
            "(--image-size), or take fewer halvings."
        )
