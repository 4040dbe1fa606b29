"""What models share that translate between two domains: samples of A to samples of B, and back."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

import kgan.kinds
import kgan.names
from kgan.endpoints import Endpoints
from kgan.kinds import Images, Kind
from kgan.models import translating
from kgan.models.batches import Batch, no_weights, samples_of
from kgan.models.players import Players


class Translation(Players):
    """Batches of (a, b), `translate`, endpoints and kinds of a model; a subclass has its step.

    The subclass sets the attributes.

    Attributes:
        kinds: What a sample of A is, and what one of B.
        family: Name of the model's family.
        trains_on: What the batches are and what gives them, for an error.
        directions: What it translates. Of one direction the network is called `generator`, of two
            as its direction.
    """

    kinds: tuple[Kind, ...]
    family: ClassVar[str]
    in_one_kernel: ClassVar[bool] = True
    trains_on: ClassVar[str]
    directions: ClassVar[tuple[str, ...]] = ("a_to_b",)

    def _take_kinds(self, kind_a: Kind | None, kind_b: Kind | None, shapes: Any) -> None:
        """Sets the kinds: those given, which must have these shapes, or what the shapes say."""
        given = (("kind_a", kind_a), ("kind_b", kind_b))
        self.kinds = tuple(
            self._checked_kind(name, kind, shape)
            for (name, kind), shape in zip(given, shapes, strict=True)
        )

    def _checked_kind(self, name: str, kind: Kind | None, shape: tuple[int, ...]) -> Kind:
        if kind is None:
            domain = f"this {type(self).__name__}'s domain {name[-1].upper()}"
            return kgan.kinds.of_array(domain, (0, *shape))
        if kind.shape != shape:
            raise ValueError(
                f"{name} must have the shape of the networks' samples, {shape}, got {kind}."
            )
        return kind

    def _unpack(self, data: Any) -> Batch:
        a, b, weights = keras.utils.unpack_x_y_sample_weight(data)
        name = type(self).__name__
        if weights is not None:
            raise ValueError(no_weights(name))
        if b is None or isinstance(a, Mapping):
            raise ValueError(f"a {name} trains on batches (a, b) of {self.trains_on}.")
        found_a, found_b = (
            samples_of(
                samples, kind.shape, kind, what=f"samples of domain {domain}", whose="their kind's"
            )
            for domain, samples, kind in zip("ab", (a, b), self.kinds, strict=True)
        )
        return Batch(found_a, found_b)

    def _translator(self, direction: str) -> keras.Model:
        return getattr(self, "generator" if len(self.directions) == 1 else direction)

    def _image_makers(self) -> list[str]:
        makers = ["generator"] if len(self.directions) == 1 else self.directions
        kinds = (self.kinds[1], self.kinds[0])
        pairs = zip(makers, kinds, strict=False)
        return [name for name, kind in pairs if isinstance(kind, Images)]

    # Use

    @property
    def kind(self) -> Kind:
        """What a sample of B is: what it makes of A."""
        return self.kinds[1]

    def call(self, samples: Any, training: bool = False) -> Any:
        """Samples of A, translated to B in inference mode."""
        return self._translator("a_to_b")(samples, training=False)

    def translate(self, samples: np.ndarray, direction: str = "a_to_b") -> np.ndarray:
        """Samples of one domain as samples of the other.

        Args:
            samples: Samples (n, ...) in their kind's units; images also as uint8.
            direction: One of its `directions`: "a_to_b", and "b_to_a" of a model of both.

        Returns:
            float32 array (n, ...); images in [0, 1].
        """
        kgan.names.check("direction", direction, self.directions)
        source, target = self.kinds if direction == "a_to_b" else self.kinds[::-1]
        source.check("what is translated", samples)

        def translated(batch: tf.Tensor) -> tf.Tensor:
            return self._translated(batch, direction)

        return translating.in_batches(translated, source.as_float(samples), target)

    # A graph for each direction.
    @tf.function(reduce_retracing=True)
    def _translated(self, samples: tf.Tensor, direction: str) -> tf.Tensor:
        return self._translator(direction)(samples, training=False)

    def endpoints(self) -> Endpoints:
        """What it can be asked: translations of images and of files, in all its directions."""
        found = {}
        networks = [self._translator(direction) for direction in self.directions]
        for direction, network in zip(self.directions, networks, strict=True):
            source, target = self.kinds if direction == "a_to_b" else self.kinds[::-1]
            name = "translate" if len(networks) == 1 else direction
            found.update(translating.endpoints(name, network, source, target))
        return Endpoints(
            family=self.family,
            kind=self.kind,
            # Those that are asked most have the shortest names; the first is the default.
            endpoints={name: found[name] for name in sorted(found, key=len)},
            tracked=tuple(networks),
            details={"sample_shape": list(self.kind.shape)},
            network=networks[0],
        )

    # Saving

    def get_config(self) -> dict[str, Any]:
        kind_a, kind_b = (kind.get_config() for kind in self.kinds)
        return {**super().get_config(), "kind_a": kind_a, "kind_b": kind_b}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        kinds = {name: kgan.kinds.from_config(config[name]) for name in ("kind_a", "kind_b")}
        return super().from_config({**config, **kinds}, custom_objects)


def of_one_input(networks: Mapping[str, keras.Model | None]) -> None:
    """Raises for a network, by name, that is not built or does not have one input."""
    for name, network in networks.items():
        if network is not None and len(getattr(network, "inputs", None) or ()) != 1:
            raise ValueError(
                f"{name} must be a built functional or Sequential Keras model of one input, got "
                f"{type(network).__name__}."
            )
