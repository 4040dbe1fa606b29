"""The changes of adaptive augmentation, in their published order and with published constants.

Those of the geometry are composed into one affine map, and those of the colours into one too, so
that an image is resampled once. Beyond its border it goes on as its mirror image. As in the
authors' code, the wavelet's small asymmetry leaves an image that is flipped or turned a tenth of a
pixel aside.

Reference: Karras et al. 2020, appendix B (arXiv:2006.06676).
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

import kgan.random
from kgan.augmentation.sampler import affine, places, sample_rows
from kgan.augmentation.wavelet import NEEDED, along_both, double, doubling, halve, halving

# As many as all changes together need for an image, and a few more.
_DRAWS = 40


class Chance:
    """Which images a change is made to, and by how much.

    Args:
        seed: Of the pass, shape (2,).
        images: Shape (batch, height, width, channels).
        strength: The probability of each change, a scalar.
    """

    def __init__(self, seed: tf.Tensor, images: tf.Tensor, strength: tf.Tensor):
        self.strength = strength
        self.height, self.width, self.channels = images.shape[1:]
        self._images = images
        self._seeds = [tf.random.fold_in(seed, number, alg="philox") for number in range(2)]
        shape = [tf.shape(images)[0], _DRAWS]
        self._uniform = iter(tf.unstack(kgan.random.uniform(self._seeds[0], shape), axis=1))

    def uniform(self) -> tf.Tensor:
        """U(0, 1) for each image, (batch,)."""
        return next(self._uniform)

    def normal(self) -> tf.Tensor:
        """N(0, 1) for each image, (batch,)."""
        return tf.math.ndtri(self.uniform())

    def noise(self) -> tf.Tensor:
        """N(0, 1) for each value of the images."""
        return kgan.random.normal(self._seeds[1], tf.unstack(tf.shape(self._images)))

    def taken(
        self, value: tf.Tensor, otherwise: float, probability: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The value where the change is made, else the one that changes nothing."""
        likely = self.strength if probability is None else probability
        return tf.where(self.uniform() < likely, value, tf.cast(otherwise, tf.float32))


Matrix = Callable[[Chance], tf.Tensor]


# Geometry: maps from (x, y, 1) of the result to that of the image, in pixels from the middle


def flip(chance: Chance) -> tf.Tensor:
    """Left to right in half of the cases."""
    sign = chance.taken(1.0 - 2.0 * tf.floor(2.0 * chance.uniform()), 1.0)
    return _scaling(sign, tf.ones_like(sign))


def turn(chance: Chance) -> tf.Tensor:
    """By 0, 90, 180 or 270 degrees."""
    return _rotation(chance.taken(tf.floor(4.0 * chance.uniform()) * (math.pi / 2), 0.0))


def shift(chance: Chance) -> tf.Tensor:
    """By whole pixels, up to an eighth of each side."""
    sides = (chance.width, chance.height)
    inside = chance.uniform() < chance.strength
    steps = [tf.round((2.0 * chance.uniform() - 1.0) * 0.125 * side) for side in sides]
    return _translation(*(tf.where(inside, step, 0.0) for step in steps))


def scale(chance: Chance) -> tf.Tensor:
    """By 2^N(0, 0.2)."""
    factor = chance.taken(_power(-0.2 * chance.normal()), 1.0)
    return _scaling(factor, factor)


def rotate(chance: Chance) -> tf.Tensor:
    """By any angle. It is made twice, so that either is made with the probability of the others."""
    probability = 1.0 - tf.sqrt(tf.clip_by_value(1.0 - chance.strength, 0.0, 1.0))
    angle = (2.0 * chance.uniform() - 1.0) * math.pi
    return _rotation(chance.taken(angle, 0.0, probability))


def stretch(chance: Chance) -> tf.Tensor:
    """Wider and lower, or the other way, by 2^N(0, 0.2)."""
    factor = chance.taken(_power(-0.2 * chance.normal()), 1.0)
    return _scaling(factor, 1.0 / factor)


def offset(chance: Chance) -> tf.Tensor:
    """By N(0, 0.125) of each side."""
    sides = (chance.width, chance.height)
    inside = chance.uniform() < chance.strength
    steps = [chance.normal() * 0.125 * side for side in sides]
    return _translation(*(tf.where(inside, -step, 0.0) for step in steps))


# Colours: maps of (red, green, blue, 1) in [-1, 1]


def brightness(chance: Chance) -> tf.Tensor:
    """Adds N(0, 0.2)."""
    value = chance.taken(0.2 * chance.normal(), 0.0)
    shifts = tf.stack([value] * 3 + [tf.zeros_like(value)], axis=1)
    return tf.eye(4) + shifts[:, :, None] * tf.constant([0.0, 0.0, 0.0, 1.0])


def contrast(chance: Chance) -> tf.Tensor:
    """Times 2^N(0, 0.5)."""
    factor = chance.taken(_power(0.5 * chance.normal()), 1.0)
    return tf.linalg.diag(tf.stack([factor] * 3 + [tf.ones_like(factor)], axis=1))


def luma_flip(chance: Chance) -> tf.Tensor:
    """Reflects brightness at the middle in half of the cases, and keeps the hue."""
    made = chance.taken(tf.floor(2.0 * chance.uniform()), 0.0)
    return tf.eye(4) - 2.0 * made[:, None, None] * _luma()


def hue(chance: Chance) -> tf.Tensor:
    """Turns colours about the grey axis by any angle."""
    angle = chance.taken((2.0 * chance.uniform() - 1.0) * math.pi, 0.0)[:, None, None]
    axis, grey = 3.0**-0.5, _luma()
    cross = tf.constant(
        [[0, -axis, axis, 0], [axis, 0, -axis, 0], [-axis, axis, 0, 0], [0] * 4], tf.float32
    )
    colours = tf.linalg.diag([1.0, 1.0, 1.0, 0.0]) - grey
    last = tf.linalg.diag([0.0, 0.0, 0.0, 1.0])
    return grey + last + tf.cos(angle) * colours + tf.sin(angle) * cross


def saturation(chance: Chance) -> tf.Tensor:
    """Distance from grey, times 2^N(0, 1)."""
    factor = chance.taken(_power(chance.normal()), 1.0)[:, None, None]
    grey = _luma() + tf.linalg.diag([0.0, 0.0, 0.0, 1.0])
    return grey + (tf.eye(4) - grey) * factor


# What is made to the pixels last


def noise(images: tf.Tensor, chance: Chance) -> tf.Tensor:
    """Adds noise of deviation |N(0, 0.1)|."""
    deviation = chance.taken(0.1 * tf.abs(chance.normal()), 0.0)
    return images + chance.noise() * deviation[:, None, None, None]


def cutout(images: tf.Tensor, chance: Chance) -> tf.Tensor:
    """A rectangle of half of each side becomes 0."""
    made = chance.uniform() < chance.strength
    inside = []
    for side in (chance.height, chance.width):
        place = (tf.range(side, dtype=tf.float32) + 0.5) / side
        inside.append(tf.abs(place[None] - chance.uniform()[:, None]) < 0.25)
    hole = inside[0][:, :, None] & inside[1][:, None] & made[:, None, None]
    return tf.where(hole[..., None], tf.zeros([], images.dtype), images)


GEOMETRY: dict[str, Matrix] = {
    "flip": flip,
    "turn": turn,
    "shift": shift,
    "scale": scale,
    "rotate": rotate,
    "stretch": stretch,
    "offset": offset,
}
COLOURS: dict[str, Matrix] = {
    "brightness": brightness,
    "contrast": contrast,
    "luma_flip": luma_flip,
    "hue": hue,
    "saturation": saturation,
}
PIXELS: dict[str, Callable[[tf.Tensor, Chance], tf.Tensor]] = {"noise": noise, "cutout": cutout}
CHANGES: dict[str, Callable] = {**GEOMETRY, **COLOURS, **PIXELS}
"""All changes, in the order in which they are made: the published ones but the filter of frequency
bands, which no published default has."""

PIPES: dict[str, tuple[str, ...]] = {
    "color-geometry": (*GEOMETRY, *COLOURS),
    "color-geometry-cutout": (*GEOMETRY, *COLOURS, "cutout"),
    "upright": ("shift", "scale", "stretch", "offset", *COLOURS),
}
"""Sets of changes by name: the published ones, those with cutout, and those without flips and
rotations, which would leak into what must not be turned, such as digits and letters."""

_NO_HUE = ("hue", "saturation")
_TURNING = {"turn", "rotate"}


def changed(images: tf.Tensor, names: Sequence[str], chance: Chance) -> tf.Tensor:
    """Images in [-1, 1] after the named changes.

    Args:
        images: Shape (batch, height, width, channels).
        names: Keys of `CHANGES`.
        chance: Made for these images.
    """
    order = [name for name in GEOMETRY if name in names]
    if "rotate" in order:
        order.insert(order.index("offset") if "offset" in order else len(order), "rotate")
    if order:
        inverse = _product([GEOMETRY[name](chance) for name in order])
        images = _resampled(images, inverse, turned=not _TURNING.isdisjoint(order))
    colours = [name for name in COLOURS if name in names]
    if chance.channels not in (3, 4):
        colours = [name for name in colours if name not in _NO_HUE]
    if colours:
        # Each is made after the ones before it.
        matrix = _product([COLOURS[name](chance) for name in reversed(colours)])
        images = _coloured(images, matrix)
    for name in PIXELS:
        if name in names:
            images = PIXELS[name](images, chance)
    return images


def _resampled(images: tf.Tensor, inverse: tf.Tensor, *, turned: bool) -> tf.Tensor:
    """Images under affine maps, at twice their resolution; where none is turned, axis by axis."""
    sides = images.shape[1:3]
    size = 2 * (sides[0] + NEEDED), 2 * (sides[1] + NEEDED)
    # Of the two that a pixel becomes the first is its place, so the middle of the pixels lies half
    # of a doubled one before that of the doubled ones.
    inverse = _aside(-0.25) @ inverse @ _aside(0.25)
    middle = sides[0] - 0.5, sides[1] - 0.5
    if turned:
        doubled = double(images)
        return halve(affine(doubled, inverse, size, unit=2.0, middle=middle, periodic=True))
    maps = []
    for side, row, new, start in zip(sides, (1, 0), size, middle, strict=True):
        place = inverse[:, row, row, None] * places(new, 2.0) + inverse[:, row, 2, None]
        doubled = tf.constant(doubling(side))
        maps.append(halving(new) @ sample_rows(doubled, 2.0 * place + start, periodic=True))
    return along_both(images, *maps)


def _aside(by: float) -> tf.Tensor:
    """A shift of both axes."""
    return tf.constant([[1.0, 0.0, by], [0.0, 1.0, by], [0.0, 0.0, 1.0]])


def _coloured(images: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    if images.shape[-1] not in (3, 4):
        factor = tf.reduce_mean(tf.reduce_sum(matrix[:, :3, :3], axis=2), axis=1)
        added = tf.reduce_mean(matrix[:, :3, 3], axis=1)
        return images * factor[:, None, None, None] + added[:, None, None, None]
    colours = tf.einsum("bhwc,bdc->bhwd", images[..., :3], matrix[:, :3, :3])
    colours = colours + matrix[:, None, None, :3, 3]
    # Opacity has no colour.
    return tf.concat([colours, images[..., 3:]], axis=-1)


def _product(matrices: Sequence[tf.Tensor]) -> tf.Tensor:
    found = matrices[0]
    for matrix in matrices[1:]:
        found = found @ matrix
    return found


def _luma() -> tf.Tensor:
    """The projection on the grey axis, (4, 4)."""
    axis = tf.constant([1.0, 1.0, 1.0, 0.0]) * 3.0**-0.5
    return axis[:, None] * axis[None]


def _rows(*rows: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.stack([tf.stack(row, axis=1) for row in rows], axis=1)


def _scaling(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    zero, one = tf.zeros_like(x), tf.ones_like(x)
    return _rows([x, zero, zero], [zero, y, zero], [zero, zero, one])


def _translation(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    zero, one = tf.zeros_like(x), tf.ones_like(x)
    return _rows([one, zero, x], [zero, one, y], [zero, zero, one])


def _rotation(angle: tf.Tensor) -> tf.Tensor:
    zero, one = tf.zeros_like(angle), tf.ones_like(angle)
    sine, cosine = tf.sin(angle), tf.cos(angle)
    return _rows([cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one])


def _power(exponent: tf.Tensor) -> tf.Tensor:
    return tf.pow(2.0, exponent)
