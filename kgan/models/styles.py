"""What a generator with styles can do besides: styles of latents, images of styles, truncation."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf

import kgan.latents
from kgan.endpoints import Endpoint, Request, check_labels, check_range, finite, takes

MAPPING, SYNTHESIS = "mapping", "synthesis"
DIRECTIONS = 8
"""How many directions an export can be moved along, where a style has as many values."""
SHARES = (-1.0, 2.0)
"""What may be kept of a style's distance from the mean: -1 is its opposite, 2 exaggerates."""

_STYLES = 2000
# Latents whose styles are averaged for the centre of a class: of few classes the more.
_FEWEST_OF_A_CLASS, _MOST_OF_A_CLASS, _OF_ALL_CLASSES = 100, 1000, 50_000
_AT_ONCE = 10_000
# Of more classes, as many that lie evenly among them, so that each has ten styles.
_CLASSES = 200


class Styles(NamedTuple):
    """A generator with styles, cut in two.

    Attributes:
        mapping: Its layer from latents (and labels) to styles (n, style_count, units), with
            `num_classes` and `truncated`.
        synthesis: The model from styles to images in [0, 1], in inference mode.
        unclipped: The same to what its images are clipped from, in [-1, 1] and beyond.
    """

    mapping: Any
    synthesis: keras.Model
    unclipped: keras.Model

    @classmethod
    def of(cls, generator: keras.Model) -> Self | None:
        """The parts of a generator; `None` for one without styles."""
        if not {MAPPING, SYNTHESIS} <= {layer.name for layer in generator.layers}:
            return None
        mapping = generator.get_layer(MAPPING)
        if not (hasattr(mapping, "style_count") and hasattr(mapping, "num_classes")):
            # A layer of somebody's own that happens to be called so.
            return None
        last = generator.get_layer(SYNTHESIS).output
        return cls(
            mapping,
            keras.Model(mapping.output, generator.outputs[0]),
            keras.Model(mapping.output, last),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the styles of one image: (style_count, units)."""
        return (self.mapping.style_count, self.mapping.units)

    def styles(self, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """Styles (n, style_count, units) of latents (n, latent_dim), and of labels (n,)."""
        classes = self.mapping.num_classes
        if (labels is None) != (classes is None):
            wanted = "None: there are no" if classes is None else f"given: there are {classes}"
            raise ValueError(f"labels must be {wanted} classes.")
        if labels is None:
            return self.mapping(latents, training=False)
        return self.mapping([latents, check_labels(labels, classes)], training=False)

    def images(self, styles: tf.Tensor) -> tf.Tensor:
        """Images of styles (n, style_count, units)."""
        return tf.cast(self.synthesis(styles, training=False), tf.float32)

    def unclipped_images(self, styles: tf.Tensor) -> tf.Tensor:
        """The same before they are clipped to [0, 1], where every pixel has a gradient."""
        return 0.5 * tf.cast(self.unclipped(styles, training=False), tf.float32) + 0.5

    def centres(self, classes: Iterable[int], *, latent_dim: int, num_classes: int) -> np.ndarray:
        """The mean style of each of some classes, float32 (classes, units).

        Towards the mean of all classes a truncated sample would lose its own.

        Args:
            classes: Numbers of classes.
            latent_dim: Length of a latent vector.
            num_classes: How many classes there are.

        Reference: Mokady et al. 2022, multi-modal truncation (arXiv:2202.12211), of clusters.
        """
        count = min(max(_OF_ALL_CLASSES // num_classes, _FEWEST_OF_A_CLASS), _MOST_OF_A_CLASS)
        latents = kgan.latents.from_seeds(kgan.latents.example_seeds(0, count), latent_dim)
        asked, at_once = list(classes), max(_AT_ONCE // count, 1)
        found = [np.zeros((0, self.shape[1]), np.float32)]
        for start in range(0, len(asked), at_once):
            part = tf.constant(asked[start : start + at_once], tf.int32)
            styles = self.styles(tf.tile(latents, [len(part), 1]), tf.repeat(part, count))[:, 0]
            found.append(tf.reduce_mean(tf.reshape(styles, [len(part), count, -1]), axis=1).numpy())
        return np.concatenate(found)

    def centre(
        self, labels: np.ndarray | None, *, latent_dim: int, num_classes: int | None
    ) -> np.ndarray | None:
        """The mean styles (n, units) of the classes of labels (n,); `None` without classes."""
        if labels is None or num_classes is None:
            return None
        classes, which = np.unique(labels, return_inverse=True)
        return self.centres(classes, latent_dim=latent_dim, num_classes=num_classes)[which]

    def truncated(
        self,
        styles: tf.Tensor,
        share: tf.Tensor,
        cutoff: tf.Tensor | int | None = None,
        *,
        centre: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Styles whose first layers are pulled towards a mean style.

        Args:
            styles: (n, style_count, units).
            share: What is kept of the distance from the mean (psi), (n,) or a scalar.
            cutoff: How many of the first layers are pulled, (n,) or a scalar; by default all.
            centre: Mean styles of the classes, (n, units), of `centres`; default that of all.
        """
        rows = tf.shape(styles)[:1]
        last = self.mapping.style_count if cutoff is None else cutoff
        return self.mapping.truncated(
            styles,
            tf.broadcast_to(tf.cast(share, tf.float32), rows),
            tf.broadcast_to(tf.cast(last, tf.int32), rows),
            centre,
        )

    def directions(
        self, count: int, *, latent_dim: int, num_classes: int | None = None, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The directions in which styles of one class vary most, the strongest first.

        Args:
            count: Number of directions.
            latent_dim: Length of a latent vector.
            num_classes: Number of classes, where there are any.
            seed: Seed of the latents whose styles are looked at.

        Returns:
            The directions (count, units), of unit length, and the deviation along each, (count,).
        """
        styles, labels = self._drawn(latent_dim, num_classes, seed)
        return kgan.latents.principal(styles, count, labels=labels)

    def deviations_along(
        self, directions: np.ndarray, *, latent_dim: int, num_classes: int | None = None
    ) -> np.ndarray:
        """The deviation of the styles of one class along each of some directions, (count,).

        Args:
            directions: Rows of unit length, (count, units).
            latent_dim: As for `directions`.
            num_classes: As for `directions`.
        """
        styles, labels = self._drawn(latent_dim, num_classes, 0)
        return kgan.latents.deviations_along(directions, styles, labels=labels)

    def _drawn(
        self, latent_dim: int, num_classes: int | None, seed: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Styles (n, units) of random latents, and the class of each where there are classes."""
        seeds = kgan.latents.example_seeds(seed, _STYLES)
        latents = kgan.latents.from_seeds(seeds, latent_dim)
        labels = None
        if num_classes is not None:
            seen = min(num_classes, _CLASSES)
            labels = np.arange(_STYLES) % seen * num_classes // seen
        styles = self.styles(latents, None if labels is None else tf.constant(labels, tf.int32))
        return styles.numpy()[:, 0], labels

    def kernels(self) -> list[np.ndarray]:
        """The kernels (units, channels) of all linear maps of styles, for directions.

        All maps to RGB are among them; the code of Shen & Zhou 2021 takes the last of those alone.
        """
        affine = [one.affine for one in self.synthesis.layers if hasattr(one, "affine")]
        return [np.asarray(one.kernel) for one in affine]

    def mixed(self, coarse: tf.Tensor, fine: tf.Tensor, layer: tf.Tensor | int) -> tf.Tensor:
        """The first `layer` styles of `coarse`, which decide the shape, and the others of `fine`.

        Args:
            coarse: Styles (n, style_count, units).
            fine: Likewise.
            layer: Where the others begin, (n,) or a scalar, in [0, style_count].
        """
        first = tf.cast(tf.broadcast_to(layer, tf.shape(coarse)[:1]), tf.int32)
        mask = tf.range(self.mapping.style_count)[None] < first[:, None]
        return tf.where(mask[:, :, None], coarse, fine)


def check_cutoff(cutoff: int | None, style_count: int | None) -> None:
    """Raises where samples would be truncated in more styles than there are.

    Args:
        cutoff: How many of the first styles are pulled; `None` for all.
        style_count: How many there are; `None` of a generator without styles.
    """
    if cutoff is None:
        return
    if style_count is None:
        raise ValueError(f"cutoff must be left out: the generator has no styles, got {cutoff}.")
    if not 0 <= cutoff <= style_count:
        raise ValueError(
            f"cutoff must be in [0, {style_count}], as many styles as the generator has, "
            f"got {cutoff}."
        )


def check_share(truncation: float) -> None:
    """Raises where samples would be truncated by a share that none can have.

    Args:
        truncation: What is kept of the distance from the mean style (psi).
    """
    if not 0.0 <= truncation <= SHARES[1]:
        raise ValueError(
            f"truncation must be in [0, {SHARES[1]:g}] for a generator with styles, "
            f"got {truncation:g}."
        )


def style_endpoints(
    styles: Styles,
    plural: str,
    *,
    latent_dim: int,
    num_classes: int | None,
    label_inputs: Any,
    labels_of: Any,
):
    """What can be asked of a generator with styles, by name.

    `truncate` pulls the first `cutoff` styles towards the mean style. `move` does likewise, and
    takes styles along the directions in which they vary most, by so many deviations each.

    Args:
        styles: The generator.
        plural: What the samples are called.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`.
        label_inputs: The input `labels` where there are classes, else nothing.
        labels_of: Function from a request to its checked labels, or `None`.
    """
    latents = takes(latents=((latent_dim,), tf.float32))

    def style(request: Request) -> Request:
        return {"styles": styles.styles(request["latents"], labels_of(request))}

    def synthesize(request: Request) -> Request:
        return {plural: styles.images(request["styles"])}

    def truncated(request: Request) -> tf.Tensor:
        labels = labels_of(request)
        found = styles.styles(request["latents"], labels)
        centre = None if labels is None else tf.gather(centres, labels)
        share = check_range("share", request["share"], *SHARES)
        cutoff = check_range("cutoff", request["cutoff"], 0, styles.shape[0])
        return styles.truncated(found, share, cutoff, centre=centre)

    def truncate(request: Request) -> Request:
        return {plural: styles.images(truncated(request))}

    def mix(request: Request) -> Request:
        labels = labels_of(request)
        coarse, fine = (styles.styles(request[name], labels) for name in ("coarse", "fine"))
        layer = check_range("layer", request["layer"], 0, styles.shape[0])
        return {plural: styles.images(styles.mixed(coarse, fine, layer))}

    def move(request: Request) -> Request:
        found = truncated(request)
        return {plural: styles.images(found + tf.linalg.matmul(request["moves"], along)[:, None])}

    # Endpoints may be asked for where a graph is built.
    with tf.init_scope():
        directions, deviations = styles.directions(
            min(DIRECTIONS, styles.shape[1]), latent_dim=latent_dim, num_classes=num_classes
        )
        if num_classes is not None:
            classes = range(num_classes)
            centres = styles.centres(classes, latent_dim=latent_dim, num_classes=num_classes)
    along = (directions * deviations[:, None]).astype(np.float32)
    moves = takes(moves=((len(along),), tf.float32))
    share = takes(share=((), tf.float32), cutoff=((), tf.int64))
    layer = takes(layer=((), tf.int64))
    both = takes(coarse=((latent_dim,), tf.float32), fine=((latent_dim,), tf.float32))
    return {
        role: Endpoint(finite(function), inputs, role)
        for role, function, inputs in (
            ("style", style, {**latents, **label_inputs}),
            ("synthesize", synthesize, takes(styles=(styles.shape, tf.float32))),
            ("truncate", truncate, {**latents, **share, **label_inputs}),
            ("mix", mix, {**both, **layer, **label_inputs}),
            ("move", move, {**latents, **share, **moves, **label_inputs}),
        )
    }
