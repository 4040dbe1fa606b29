"""What models share that translate in one direction: samples of A to samples of B."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

import kgan.names
from kgan.endpoints import Endpoints
from kgan.kinds import Kind
from kgan.models import translating
from kgan.models.batches import Batch, no_weights, samples_of


class OneWayTranslation:
    """Adds batches of (a, b), `translate` and its endpoints to a model of `Players`.

    The model sets the attributes.

    Attributes:
        generator: Samples of A to samples of B.
        kinds: What a sample of A is, and what one of B.
        family: Name of the model's family.
        trains_on: What the batches are and what gives them, for an error.
    """

    generator: keras.Model
    kinds: tuple[Kind, ...]
    family: ClassVar[str]
    trains_on: ClassVar[str]
    directions: ClassVar[tuple[str, ...]] = ("a_to_b",)

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

    @property
    def kind(self) -> Kind:
        """What a sample of B is: what it makes."""
        return self.kinds[1]

    def call(self, samples: Any, training: bool = False) -> Any:
        """Samples of A, translated to B in inference mode."""
        return self.generator(samples, training=False)

    def translate(self, samples: np.ndarray, direction: str = "a_to_b") -> np.ndarray:
        """Samples of A as samples of B.

        Args:
            samples: Samples (n, ...) in their kind's units; images also as uint8.
            direction: "a_to_b", the only one that it learns.

        Returns:
            float32 array (n, ...); images in [0, 1].
        """
        kgan.names.check("direction", direction, self.directions)
        source, target = self.kinds
        source.check("what is translated", samples)
        return translating.in_batches(self._translate, source.as_float(samples), target)

    @tf.function(reduce_retracing=True)
    def _translate(self, samples):
        return self.generator(samples, training=False)

    def endpoints(self) -> Endpoints:
        """What it can be asked: translations, of images and of files."""
        source, target = self.kinds
        return Endpoints(
            family=self.family,
            kind=target,
            endpoints=translating.endpoints("translate", self.generator, source, target),
            tracked=(self.generator,),
            details={"sample_shape": list(target.shape)},
            network=self.generator,
        )
