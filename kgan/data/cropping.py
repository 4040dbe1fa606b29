"""Parts of images: a random one for training, the middle for testing."""

import dataclasses

import tensorflow as tf

import kgan.random
from kgan.data.dataset import Dataset
from kgan.kinds import Images, Kind


def random_crop(
    images: tf.Tensor, size: tuple[int, int], seed: tf.Tensor, *, unit: int = 1
) -> tf.Tensor:
    """A random part of each image, a function of the seed and of the image's place in the batch.

    Args:
        images: (batch, height, width, channels).
        size: Height and width of the part.
        seed: From `kgan.random.step_seed`.
        unit: The part begins at multiples of so many pixels.

    Returns:
        Tensor (batch, *size, channels).
    """
    shape = tf.shape(images)
    coins = kgan.random.stateless_uniform(seed, [shape[0], 2])
    for axis in (1, 2):
        length = size[axis - 1]
        places = (shape[axis] - length) // unit + 1
        first = unit * tf.cast(coins[:, axis - 1] * tf.cast(places, tf.float32), tf.int32)
        # Rounding may reach the number of places itself.
        first = tf.minimum(first, unit * (places - 1))
        rows = first[:, tf.newaxis] + tf.range(length)
        images = tf.gather(images, rows, axis=axis, batch_dims=1)
    return images


def check_crop(what: str, kind: Kind, size: tuple[int, int]) -> None:
    """Raises `ValueError` unless a part of that size can be cut from samples of the kind."""
    if not isinstance(kind, Images):
        raise ValueError(f"crop must be left out for {kind.plural}, as those of {what}.")
    if not (1 <= size[0] <= kind.height and 1 <= size[1] <= kind.width):
        raise ValueError(
            f"crop must be at most the size of the images, {kind.height}x{kind.width} in {what}, "
            f"got {size[0]}x{size[1]}. Read them larger (--image-size)."
        )


def cropped_kind(kind: Kind, size: tuple[int, int] | None) -> Kind:
    """The kind of parts of that size; of whole samples for `None`."""
    if size is None or not isinstance(kind, Images):
        return kind
    return dataclasses.replace(kind, height=size[0], width=size[1])


def middle(dataset: Dataset, size: tuple[int, int] | None) -> Dataset:
    """The images cut to their middle of that size; as they are for `None`."""
    if size is None:
        return dataset
    check_crop(dataset.name, dataset.kind, size)
    kind = dataset.kind
    assert isinstance(kind, Images)
    top, left = (kind.height - size[0]) // 2, (kind.width - size[1]) // 2

    def cut(images):
        return None if images is None else images[:, top : top + size[0], left : left + size[1]]

    return dataclasses.replace(
        dataset,
        samples=cut(dataset.samples),
        exact=cut(dataset.exact),
        kind=cropped_kind(kind, size),
    )
