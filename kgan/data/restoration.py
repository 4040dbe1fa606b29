"""Pairs that are made of any images: an image is damaged, and what it was is the target.

What a task makes of an image is a function of the image, the seed and the image's place in its
batch, drawn with stateless operations: a resumed training sees the same damage. Nothing learns
through these functions.
"""

import abc
import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

import kgan.data.order
import kgan.names
import kgan.random
from kgan.data.dataset import Dataset
from kgan.data.domains import Pairs
from kgan.data.feed import reader
from kgan.kinds import Images

_BATCH = 64


class Restoration(abc.ABC):
    """Base of all tasks.

    Attributes:
        keeps: What of its input a restored image has by the task's nature: "nothing" (it is all
            made), "known" (what the last channel marks as known), "residual" (the input is near, so
            that a network need only find the difference), or "brightness" (it is the grey of it).
        trivial: Name of what the input itself is as an answer, a baseline.
    """

    keeps: ClassVar[str] = "nothing"
    trivial: ClassVar[str] = "input"

    @abc.abstractmethod
    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The damaged images.

        Args:
            images: float32 (batch, height, width, channels) in [0, 1].
            seed: From `kgan.random.step_seed`.
        """

    def input_kind(self, kind: Images) -> Images:
        """What a damaged image is, for images of that kind; raises for images it cannot damage."""
        return kind

    @property
    def factor(self) -> int:
        """How many times as large the restored image is."""
        return 1

    def answer(self, inputs: np.ndarray, channels: int) -> np.ndarray:
        """The trivial restoration: the input, in the form of the target (n, ..., channels)."""
        return inputs


@dataclasses.dataclass(frozen=True)
class Inpainting(Restoration):
    """Holes in images are filled with mid-grey; the last channel is 1 where the image is known.

    A colour image with holes is so an RGBA image whose holes are transparent.

    Args:
        mask: "centre", a rectangle of half the height and width in the middle; or "random", the
            union of three rectangles with sides of an eighth to a half of the image's.

    Reference: Pathak et al. 2016, section 3.3 (arXiv:1604.07379).
    """

    mask: str = "centre"

    keeps: ClassVar[str] = "known"
    trivial: ClassVar[str] = "mean of the known"

    def __post_init__(self):
        kgan.names.check("mask", self.mask, ("centre", "random"))

    def __call__(self, images, seed):
        known = self.known(tf.shape(images), seed)
        return tf.concat([images * known + 0.5 * (1.0 - known), known], axis=-1)

    def known(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """1 where images of that shape are known, 0 in holes, float32 (batch, height, width, 1)."""
        batch, sides = shape[0], shape[1:3]
        if self.mask == "centre":
            first = tf.tile((sides // 4)[tf.newaxis, tf.newaxis], [batch, 1, 1])
            size = tf.tile(tf.maximum(sides // 2, 1)[tf.newaxis, tf.newaxis], [batch, 1, 1])
        else:
            draws = kgan.random.stateless_uniform(seed, [batch, 3, 2, 2])
            least, most = tf.maximum(sides // 8, 1), tf.maximum(sides // 2, 1)
            size = least + _whole(draws[:, :, 0], most - least + 1)
            first = _whole(draws[:, :, 1], sides - size + 1)
        rows, columns = (
            (tf.range(sides[axis]) >= first[..., axis, tf.newaxis])
            & (tf.range(sides[axis]) < (first + size)[..., axis, tf.newaxis])
            for axis in (0, 1)
        )
        holes = rows[:, :, :, tf.newaxis] & columns[:, :, tf.newaxis]
        return tf.cast(~tf.reduce_any(holes, axis=1), tf.float32)[..., tf.newaxis]

    def input_kind(self, kind):
        shown = (0, 1, 2, 3) if kind.channels == 3 else tuple(range(min(kind.channels, 1)))
        return dataclasses.replace(kind, channels=kind.channels + 1, shown=shown)

    def answer(self, inputs, channels):
        images, known = inputs[..., :-1], inputs[..., -1:]
        total = (images * known).sum(axis=(1, 2), keepdims=True)
        mean = total / np.maximum(known.sum(axis=(1, 2), keepdims=True), 1)
        return images * known + (1 - known) * mean


@dataclasses.dataclass(frozen=True)
class Colourisation(Restoration):
    """Colour images become grey, by the luma of Rec. 601."""

    keeps: ClassVar[str] = "brightness"
    trivial: ClassVar[str] = "grey"

    def __call__(self, images, seed):
        return _luma(images)

    def input_kind(self, kind):
        if kind.channels != 3:
            raise ValueError(f"colourise needs colour images, got {kind.channels} channel(s).")
        return dataclasses.replace(kind, channels=1, shown=None)

    def answer(self, inputs, channels):
        return np.repeat(inputs, channels, axis=-1)


@dataclasses.dataclass(frozen=True)
class Denoising(Restoration):
    """Gaussian noise is added, and the sum is cut to [0, 1].

    Args:
        strength: Standard deviation of the noise, for images in [0, 1].
    """

    strength: float = 25 / 255

    keeps: ClassVar[str] = "residual"

    def __post_init__(self):
        _check_strength(self.strength)

    def __call__(self, images, seed):
        noise = kgan.random.stateless_normal(seed, tf.shape(images))
        return tf.clip_by_value(images + self.strength * noise, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Deblurring(Restoration):
    """Images are blurred by a Gaussian; at the border they are mirrored.

    Args:
        strength: Standard deviation of the Gaussian in pixels.
    """

    strength: float = 1.6

    keeps: ClassVar[str] = "residual"

    def __post_init__(self):
        _check_strength(self.strength)

    def __call__(self, images, seed):
        for axis in (1, 2):
            images = self._blurred(images, axis)
        return images

    def _blurred(self, images: tf.Tensor, axis: int) -> tf.Tensor:
        reach = math.ceil(3 * self.strength)
        offsets = np.arange(-reach, reach + 1)
        kernel = np.exp(-0.5 * (offsets / self.strength) ** 2)
        kernel = (kernel / kernel.sum()).astype(np.float32)
        side = tf.shape(images)[axis]
        # Mirrored as often as the kernel reaches beyond a small image.
        places = (tf.range(-reach, side + reach)) % (2 * side)
        padded = tf.gather(images, tf.minimum(places, 2 * side - 1 - places), axis=axis)
        parts = [
            weight * tf.gather(padded, tf.range(shift, shift + side), axis=axis)
            for shift, weight in enumerate(kernel)
        ]
        return tf.add_n(parts)


@dataclasses.dataclass(frozen=True)
class SuperResolution(Restoration):
    """Each square of pixels becomes its mean.

    Args:
        factor: Side of the squares, 2 or 4.
    """

    factor: int = 2

    keeps: ClassVar[str] = "residual"
    trivial: ClassVar[str] = "bicubic"

    def __post_init__(self):
        if self.factor not in (2, 4):
            raise ValueError(f"factor must be 2 or 4, got {self.factor}.")

    def __call__(self, images, seed):
        batch, height, width = (tf.shape(images)[axis] for axis in range(3))
        factor, channels = self.factor, images.shape[-1]
        shape = [batch, height // factor, factor, width // factor, factor, channels]
        return tf.reduce_mean(tf.reshape(images, shape), axis=(2, 4))

    def input_kind(self, kind):
        if kind.height % self.factor or kind.width % self.factor:
            raise ValueError(
                f"super-resolve needs images whose sides are divisible by {self.factor}, got "
                f"{kind.height}x{kind.width}. Resize them (--image-size)."
            )
        sides = {"height": kind.height // self.factor, "width": kind.width // self.factor}
        return dataclasses.replace(kind, **sides)

    def answer(self, inputs, channels):
        height, width = (side * self.factor for side in inputs.shape[1:3])
        larger = tf.image.resize(inputs, (height, width), method="bicubic")
        return np.clip(larger.numpy(), 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class JpegRestoration(Restoration):
    """Images are compressed as JPEG files and read again.

    Args:
        quality: JPEG's quality, from 1 to 100.
    """

    quality: int = 10

    keeps: ClassVar[str] = "residual"

    def __post_init__(self):
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality must be in [1, 100], got {self.quality}.")

    def __call__(self, images, seed):
        def compressed(image):
            content = tf.io.encode_jpeg(image, quality=self.quality)
            return tf.io.decode_jpeg(content, channels=image.shape[-1])

        pixels = tf.cast(tf.round(images * 255.0), tf.uint8)
        found = tf.map_fn(compressed, pixels)
        return tf.cast(tf.ensure_shape(found, images.shape), tf.float32) / 255.0

    def input_kind(self, kind):
        if kind.channels not in (1, 3):
            raise ValueError(f"de-jpeg needs grey or colour images, got {kind.channels} channels.")
        return kind


@dataclasses.dataclass(frozen=True)
class FromEdges(Restoration):
    """Images become the strength of their edges: the length of Sobel's gradient of the luma.

    A step from black to white has strength 1.
    """

    trivial: ClassVar[str] = "edges"

    def __call__(self, images, seed):
        slopes = tf.image.sobel_edges(_luma(images))
        # Where it is zero the root has no slope, which nobody asks for.
        length = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=-1)) / 4.0
        return tf.clip_by_value(length, 0.0, 1.0)

    def input_kind(self, kind):
        return dataclasses.replace(kind, channels=1, shown=None)

    def answer(self, inputs, channels):
        return np.repeat(inputs, channels, axis=-1)


TASKS: dict[str, type[Restoration]] = {
    "inpaint": Inpainting,
    "colourise": Colourisation,
    "denoise": Denoising,
    "deblur": Deblurring,
    "super-resolve": SuperResolution,
    "de-jpeg": JpegRestoration,
    "edges": FromEdges,
}
"""What can be restored, by name."""


def task(name: str, **options: Any) -> Restoration:
    """A task by name.

    Args:
        name: A key of `TASKS`.
        **options: Arguments of its class; `None` stands for the default.

    Raises:
        ValueError: For an unknown name, or an option that this task has not.
    """
    kind = kgan.names.look_up("task", name, TASKS)
    fields = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    given = {key: value for key, value in options.items() if value is not None}
    for key, value in given.items():
        if key not in fields:
            has = f"takes {', '.join(sorted(fields))}" if fields else "takes no option"
            raise ValueError(
                f"{key} must be left out for the task {name}, which {has}, got {value}."
            )
    return kind(**given)


def check_task(one: Restoration, dataset: Dataset) -> Images:
    """What a damaged image of the data is.

    Raises:
        ValueError: For data that are no images, or that the task cannot damage.
    """
    if not isinstance(dataset.kind, Images):
        raise ValueError(
            f"what is restored must be images, got {dataset.kind.plural} in {dataset.name}."
        )
    return one.input_kind(dataset.kind)


def damaged(dataset: Dataset, one: Restoration, *, seed: int = 0) -> Pairs:
    """The images with their damaged forms, as pairs that are always the same, for testing.

    Args:
        dataset: Images.
        one: The task.
        seed: Seed of the damage.
    """
    kind = check_task(one, dataset)
    images = dataset.as_float()
    parts = []
    for start in range(0, len(images), _BATCH):
        draws = kgan.random.step_seed(seed, start // _BATCH, "damage of held-out images")
        parts.append(one(tf.constant(images[start : start + _BATCH]), draws).numpy())
    inputs = Dataset(
        f"damaged {dataset.name}",
        # Sums of float32 may end a trifle outside.
        np.clip(np.concatenate(parts), 0.0, 1.0),
        dataset.labels,
        dataset.class_names,
        dataclasses.replace(kind, value_range=None),
    )
    return Pairs(inputs, dataset)


def feed_damaged(
    dataset: Dataset,
    one: Restoration,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    flip: bool = False,
    crop: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """An endless stream of training batches (damaged images, images), float32 in [0, 1].

    A batch is a function of (seed, step), as those of `kgan.data.feed`.

    Args:
        dataset: Images.
        one: The task.
        batch_size: Images in a (global) batch.
        seed: Seed of the order, the flips, the crops and the damage.
        start: Number of the first step.
        flip: Whether each image is mirrored left to right with probability 1/2.
        crop: (height, width) of a random part that is cut from each image before it is damaged.
    """
    seed = kgan.random.check_seed(seed)
    check_task(one, dataset)
    order = kgan.data.order.shuffled(len(dataset), batch_size, seed=seed)
    read = reader(dataset, seed=seed, flip=flip, crop=crop)

    def batch(step):
        images = read(step, order(step))
        return one(images, kgan.random.step_seed(seed, step, "damage")), images

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def _whole(draws: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Whole numbers from 0 to below `count`, of draws from (0, 1)."""
    found = tf.cast(draws * tf.cast(count, tf.float32), tf.int32)
    return tf.minimum(found, count - 1)


def _luma(images: tf.Tensor) -> tf.Tensor:
    """Of colour by Rec. 601, of other channels their mean; (..., 1)."""
    if images.shape[-1] == 3:
        return tf.tensordot(images, tf.constant([[0.299], [0.587], [0.114]]), axes=1)
    return tf.reduce_mean(images, axis=-1, keepdims=True)


def _check_strength(strength: float) -> None:
    if not 0 < strength < math.inf:
        raise ValueError(f"strength must be above 0, got {strength}.")
