"""What a discriminator knows of real images, by what a decoder draws of its map of them.

Reference: Liu et al. 2021, section 3.2 (arXiv:2101.04775). The error is the mean absolute one, in
place of a distance of another network's features.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

import kgan.random

_LAYER = "decoded"


def check_decodes(discriminator: keras.Model, decoder: keras.Model) -> None:
    """Raises `ValueError` where the decoder cannot draw what the discriminator sees."""
    if _LAYER not in {layer.name for layer in discriminator.layers}:
        raise ValueError(
            "the discriminator must have a layer called decoded for a decoder to draw from, such "
            f"as networks fastgan have, got {discriminator.name} without it."
        )
    if len(decoder.inputs) != 2 or len(decoder.outputs) != 2:
        raise ValueError(
            "the decoder must take two maps and give two images, of the whole and of a part, got "
            f"{len(decoder.inputs)} inputs and {len(decoder.outputs)} outputs."
        )
    seen, images = discriminator.get_layer(_LAYER).output, discriminator.inputs[0]
    for what, whole, ends in (("maps", seen, decoder.inputs), ("images", images, decoder.outputs)):
        for end in ends:
            if not _pools(whole.shape[1:], end.shape[1:]):
                raise ValueError(
                    f"the decoder must be for the {what} of this discriminator, "
                    f"{tuple(whole.shape[1:])}, got one for parts of {tuple(end.shape[1:])}."
                )


def _pools(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether maps of a shape are pooled to the one that is wanted."""
    if len(shape) != len(wanted):
        return False
    sides = zip(shape[:-1], wanted[:-1], strict=True)
    pooled = all(-(-side // -(-side // other)) == other for side, other in sides)
    return pooled and shape[-1] == wanted[-1]


def revealing(discriminator: keras.Model) -> keras.Model:
    """The discriminator with its map beside its logits; both of one pass."""
    revealed = discriminator.get_layer(_LAYER).output
    return keras.Model(discriminator.input, [discriminator.outputs[0], revealed])


def decoding_error(
    decoder: keras.Model, images: tf.Tensor, features: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """How far off the decoder's images are, in the mean over pixels in [-1, 1], shape (batch,).

    Both the whole image and a quarter of it in a corner, the same one for the whole batch, are
    drawn at half the image's sides: the whole from the pooled map, the quarter from the map's.

    Args:
        decoder: Two maps to two images.
        images: What the discriminator saw, (batch, height, width, channels) in [0, 1].
        features: Its map of them.
        seed: From `kgan.random.step_seed`.
    """
    small, made = decoder.inputs[1].shape[1:3], decoder.outputs[1].shape[1:3]
    ends = kgan.random.stateless_uniform(seed, [2]) < 0.5
    part = _corner(features, small, ends)
    # Along an axis that the map does not halve, its part is the whole.
    sides = [
        side if of_map == of_part else wanted
        for side, wanted, of_map, of_part in zip(
            images.shape[1:3], made, features.shape[1:3], small, strict=True
        )
    ]
    targets = [_pooled(images, made), _pooled(_corner(images, sides, ends), made)]
    drawn = decoder([_pooled(features, small), part], training=True)
    return tf.add_n(
        [
            2.0 * tf.reduce_mean(tf.abs(tf.cast(image, tf.float32) - target), axis=[1, 2, 3])
            for image, target in zip(drawn, targets, strict=True)
        ]
    )


def _corner(maps: tf.Tensor, sides, ends: tf.Tensor) -> tf.Tensor:
    """The part of these sides that begins at an axis's start, or ends at its end."""
    rest = [side - kept for side, kept in zip(maps.shape[1:3], sides, strict=True)]
    begin = tf.where(ends, tf.constant(rest), 0)
    return tf.slice(
        maps, tf.concat([[0], begin, [0]], 0), [tf.shape(maps)[0], *sides, maps.shape[-1]]
    )


def _pooled(maps: tf.Tensor, sides) -> tf.Tensor:
    """The mean of neighbours, at these sides: the map's own, or half of them."""
    factors = [-(-side // wanted) for side, wanted in zip(maps.shape[1:3], sides, strict=True)]
    return tf.nn.avg_pool2d(maps, factors, factors, "SAME")
