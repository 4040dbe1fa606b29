"""Samples from latents: the methods that all models share that generate samples from noise."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

import kgan.kinds
import kgan.labels
import kgan.latents
import kgan.names
from kgan.endpoints import Endpoint, Request, check_labels, check_range, finite, takes
from kgan.kinds import Images, Kind, Table

_DECODE_BATCH = 64


class Generation:
    """Adds `generate`, `decode`, `interpolate` and their endpoints to a model.

    The model sets the attributes and fills `_samples`.

    Attributes:
        latent_dim: Length of a latent vector.
        sample_shape: Shape of one sample.
        num_classes: Number of classes where samples are made of labels too, else `None`.
    """

    latent_dim: int
    sample_shape: tuple[int, ...]
    num_classes: int | None = None
    _kind: Kind | None = None
    _decode_batch: int = _DECODE_BATCH

    def _samples(self, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor | Request:
        """Samples (batch, ...) of latents (batch, latent_dim), in inference mode.

        Samples of several parts, such as the columns of a table, are a dict of tensors by name.
        """
        raise NotImplementedError

    @property
    def kind(self) -> Kind:
        """What a sample is: as declared, or what the shape of the samples says."""
        if self._kind is not None:
            return self._kind
        found = kgan.kinds.of_array(f"this {type(self).__name__}", (-1, *self.sample_shape))
        if found.shape != self.sample_shape:
            raise ValueError(
                f"kind must be given to a {type(self).__name__} whose samples have the shape "
                f"{self.sample_shape}, such as kind=kgan.kinds.Images(height, width, channels)."
            )
        return found

    def _known_kind(self) -> Kind | None:
        """What a sample is; `None` where it was not declared and the shape does not tell."""
        try:
            return self.kind
        except ValueError:
            return None

    def _declare(self, kind: Kind | None) -> None:
        """Sets the kind, checked to have the shape of the samples."""
        if kind is not None and kind.shape != self.sample_shape:
            raise ValueError(
                f"kind must have the shape of the generated samples, {self.sample_shape}, "
                f"got {kind} of shape {kind.shape}."
            )
        self._kind = kind

    def generate(self, n: int, labels: ArrayLike | None = None, *, seed: int = 0) -> Any:
        """New samples: sample i depends on (seed, i, its label) alone.

        Args:
            n: Number of samples.
            labels: Class numbers, shape (n,), or one number for all; where conditional and
                `None`, the classes in turn.
            seed: Seed of the latents, an int in [0, 2**31 - 1].

        Returns:
            float32 array of shape (n, ...); images in [0, 1].
        """
        latents = kgan.latents.from_seeds(kgan.latents.example_seeds(seed, n), self.latent_dim)
        return self.decode(latents, self.check_labels(labels, n))

    def decode(self, latents: ArrayLike, labels: ArrayLike | None = None) -> Any:
        """Samples of latents (n, latent_dim) and, where conditional, labels as for `generate`."""
        found = self._checked_latents("latents", latents)
        return self._decoded(found, self.check_labels(labels, len(found)))

    def _checked_latents(self, name: str, latents: ArrayLike) -> tf.Tensor:
        found = tf.convert_to_tensor(np.asarray(latents), tf.float32)
        if found.shape.rank != 2 or found.shape[1] != self.latent_dim:
            raise ValueError(
                f"{name} must have the shape (n, {self.latent_dim}), got {tuple(found.shape)}."
            )
        bad = int((~np.isfinite(found.numpy()).all(axis=1)).sum())
        if bad:
            raise ValueError(
                f"{name} must be finite, got NaN or infinity in {bad} of {len(found)} rows."
            )
        return found

    def _decoded(self, latents: ArrayLike, labels: ArrayLike | None) -> Any:
        """An array (n, ...), or a dict of arrays where `_samples` gives a dict."""
        return self._in_batches(self._decode, tf.convert_to_tensor(latents, tf.float32), labels)

    def _in_batches(
        self, make: Callable[..., Any], given: tf.Tensor, labels: ArrayLike | None
    ) -> Any:
        """What `make` gives for latents or seeds (n, ...) and labels, batch by batch."""
        n = int(given.shape[0])
        samples = []
        for start in range(0, n, self._decode_batch):
            # A full batch always, so that every sample takes the same arithmetic path.
            rows = tf.minimum(tf.range(start, start + self._decode_batch), n - 1)
            part = None if labels is None else tf.gather(tf.convert_to_tensor(labels), rows)
            batch = make(tf.gather(given, rows), part)
            rest = slice(n - start)
            samples.append(tf.nest.map_structure(lambda one: one.numpy()[rest], batch))  # noqa: B023
        if not samples:
            return np.zeros((0, *self.sample_shape), np.float32)
        found = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *samples)
        if isinstance(self._known_kind(), Images):
            _warn_of_range(type(self).__name__, found)
        return found

    def interpolate(
        self,
        start: ArrayLike,
        end: ArrayLike,
        *,
        steps: int = 8,
        labels: ArrayLike | None = None,
        method: str = "spherical",
    ) -> Any:
        """Samples on the way between two latents.

        Args:
            start: Latents, shape (n, latent_dim).
            end: Latents of the same shape.
            steps: Samples on each way, both ends included; at least 2.
            labels: Class numbers, shape (n,), where conditional.
            method: "spherical" or "linear".

        Returns:
            float32 array of shape (n, steps, ...).
        """
        if steps < 2:
            raise ValueError(f"steps must be at least 2, got {steps}.")
        way = kgan.names.look_up("method", method, kgan.latents.INTERPOLATIONS)
        first, last = self._checked_latents("start", start), self._checked_latents("end", end)
        n = len(first)
        if len(last) != n:
            raise ValueError(f"end must have as many latents as start, {n}, got {len(last)}.")
        checked = self.check_labels(labels, n)
        share = tf.tile(tf.linspace(0.0, 1.0, steps), [n])
        latents = way(tf.repeat(first, steps, axis=0), tf.repeat(last, steps, axis=0), share)
        samples = self._decoded(latents, None if checked is None else np.repeat(checked, steps))
        return tf.nest.map_structure(lambda one: one.reshape(n, steps, *one.shape[1:]), samples)

    def check_labels(self, labels: ArrayLike | None, n: int) -> np.ndarray | None:
        """Labels of shape (n,), checked; the classes in turn where conditional and `None`."""
        if self.num_classes is None:
            if labels is not None:
                raise ValueError(f"labels must be None: this {type(self).__name__} has no classes.")
            return None
        if labels is None:
            return np.arange(n, dtype=np.int32) % self.num_classes
        given = np.asarray(labels)
        given = np.full(n, given) if given.ndim == 0 else given
        return kgan.labels.class_numbers(given, n, self.num_classes)

    @tf.function(reduce_retracing=True)
    def _decode(self, latents, labels):
        return self._samples(latents, labels)

    def _latent_endpoints(self) -> dict[str, Endpoint]:
        """What can be asked about latents; `generate` first."""
        plural, latent = self.kind.plural, (self.latent_dim,)

        def samples(latents: tf.Tensor, request: Request) -> Request:
            found = self._samples(latents, self._requested_labels(request))
            return found if isinstance(found, dict) else {plural: found}

        def draw(request: Request) -> Request:
            return {"latents": kgan.latents.from_seeds(request["seeds"], self.latent_dim)}

        def generate(request: Request) -> Request:
            return samples(draw(request)["latents"], request)

        def decode(request: Request) -> Request:
            return samples(request["latents"], request)

        def interpolate(request: Request) -> Request:
            share = check_range("share", request["share"], 0, 1)
            way = kgan.latents.spherical(request["start"], request["end"], share)
            return samples(way, request)

        labels, seeds = self._takes_labels(), takes(seeds=((), tf.int64))
        latents = takes(latents=(latent, tf.float32))
        ends = takes(start=(latent, tf.float32), end=(latent, tf.float32), share=((), tf.float32))
        may_miss = isinstance(self.kind, Table)
        return {
            "generate": Endpoint(generate, {**seeds, **labels}, "generate"),
            "latents": Endpoint(draw, seeds, "latents"),
            "decode": Endpoint(finite(decode, may_miss=may_miss), {**latents, **labels}, "decode"),
            "interpolate": Endpoint(
                finite(interpolate, may_miss=may_miss), {**ends, **labels}, "interpolate"
            ),
        }

    def _takes_labels(self) -> dict[str, tf.TensorSpec]:
        """The input `labels` of an endpoint, where there are classes."""
        return {} if self.num_classes is None else takes(labels=((), tf.int64))

    def _requested_labels(self, request: Request) -> tf.Tensor | None:
        """The labels of a request, checked where its graph runs."""
        if self.num_classes is None:
            return None
        return check_labels(request["labels"], self.num_classes)


def _warn_of_range(owner: str, images: np.ndarray) -> None:
    """Says where a generator of a user's own does not keep to the range of images."""
    low, high = float(images.min()), float(images.max())
    if low < 0.0 or high > 1.0:
        warnings.warn(
            f"images of this {owner} must be in [0, 1], and its network gives {low:.3g} to "
            f'{high:.3g}: end it in a "sigmoid", or in a "tanh" and keras.layers.Rescaling(0.5, '
            "0.5).",
            stacklevel=4,
        )
