"""What a model can be asked that makes samples of samples: translations and reconstructions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import kgan.data
import kgan.kinds
import kgan.pixels
from kgan.data import Dataset
from kgan.endpoints import Request
from kgan.export.manifest import Manifest
from kgan.kinds import Images, Kind

ROLES = ("translate", "reconstruct")
"""Of the endpoints that take samples and give samples."""

_BATCH = 64


class Making(NamedTuple):
    """An endpoint that makes samples of samples.

    Attributes:
        function: Graph function from a dict of tensors to a dict of tensors.
        takes: Name of its one input.
        shape: Shape of one sample of it; where it takes images of any size, the one that it learnt.
        kind: What a sample is that it gives.
        least_side: The smallest side of images that it takes, where it takes any size from that on;
            `None` where it takes one size alone.
        source: What a sample is that it takes, where that is known.
        tile: Of an endpoint whose network normalises each image by its own statistics, a graph
            function from tiles and `statistics` to translated tiles and their own statistics; see
            `kgan.models.tile_statistics`.
        statistics_shape: Shape of the statistics of one tile.
    """

    function: Callable[[Request], Request]
    takes: str
    shape: tuple[int, ...]
    kind: Kind
    least_side: int | None = None
    source: Kind | None = None
    tile: Callable[[Request], Request] | None = None
    statistics_shape: tuple[int, ...] = ()

    def one(self, image: np.ndarray) -> np.ndarray:
        """What is made of one image (height, width, channels), which may be large."""
        answer = self.function({self.takes: tf.constant(image[np.newaxis])})
        return answer[self.kind.plural].numpy()[0]

    def one_tile(
        self, tile: np.ndarray, statistics: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """A tile of a larger image, translated by given statistics or its own; and its own ones."""
        assert self.tile is not None
        if statistics is None:
            statistics = np.full(self.statistics_shape, np.nan, np.float32)
        answer = self.tile(
            {
                self.takes: tf.constant(tile[np.newaxis]),
                "statistics": tf.constant(statistics[np.newaxis]),
            }
        )
        return answer[self.kind.plural].numpy()[0], answer["statistics"].numpy()[0]

    def of(self, samples: np.ndarray) -> np.ndarray:
        """The samples that are made of samples (n, ...), which are float32."""
        found = []
        for start in range(0, len(samples), _BATCH):
            # A full batch always, so that every sample takes the same arithmetic path.
            rows = np.minimum(np.arange(start, start + _BATCH), len(samples) - 1)
            answer = self.function({self.takes: tf.constant(samples[rows])})
            found.append(answer[self.kind.plural].numpy()[: len(samples) - start])
        return np.concatenate(found)


class Inputs(NamedTuple):
    """What samples are made of.

    Attributes:
        data: All that there are.
        in_order: Whether the first ones are taken; otherwise the seed chooses.
    """

    data: Dataset
    in_order: bool = False

    def __call__(self, n: int, seed: int) -> np.ndarray:
        """Some of them, float32 (n, ...)."""
        if n > len(self.data):
            raise ValueError(
                f"n must be at most the {len(self.data)} inputs of {self.data.name}, got {n}."
            )
        rows = np.arange(len(self.data))
        if not self.in_order:
            rows = np.random.default_rng(seed).permutation(rows)
        return self.data.some_as_float(rows[:n])


def of_model(model: Any) -> dict[str, Making]:
    """Those endpoints of a model, by name; none of a model without endpoints."""
    if not hasattr(model, "endpoints"):
        return {}
    asked = model.endpoints()
    found = {}
    for name, endpoint in asked.endpoints.items():
        if endpoint.role in ROLES and len(endpoint.inputs) == 1:
            [(key, spec)] = endpoint.inputs.items()
            function = tf.function(endpoint.function, input_signature=[dict(endpoint.inputs)])
            kind, source = endpoint.gives or asked.kind, endpoint.takes
            shape = tuple(spec.shape[1:]) if source is None else source.shape
            making = Making(function, key, shape, kind, endpoint.least_side, source)
            if (tiles := asked.endpoints.get(f"{name}_tile")) is not None:
                signature = tf.function(tiles.function, input_signature=[dict(tiles.inputs)])
                statistics = tuple(tiles.inputs["statistics"].shape[1:])
                making = making._replace(tile=signature, statistics_shape=statistics)
            found[name] = making
    return found


def of_exported(model: Any, manifest: Manifest) -> dict[str, Making]:
    """Those signatures of an exported model, by name."""
    found = {}
    for name, role in manifest.roles.items():
        config = manifest.gives.get(name, manifest.kind)
        if role not in ROLES or config is None:
            continue
        signature = model.signatures[name]
        taken = signature.structured_input_signature[1]
        # With labels besides, what it makes of a sample is not that sample's alone.
        if len(taken) == 1:
            [(key, spec)] = taken.items()
            kind = kgan.kinds.from_config(config)
            told = manifest.takes.get(name)
            source = None if told is None else kgan.kinds.from_config(told)
            shape = tuple(spec.shape[1:]) if source is None else source.shape
            function, least = _by_name(signature, model), manifest.least_sides.get(name)
            making = Making(function, key, shape, kind, least, source)
            if f"{name}_tile" in manifest.roles:
                tiles = model.signatures[f"{name}_tile"]
                spec = tiles.structured_input_signature[1]["statistics"]
                making = making._replace(
                    tile=_by_name(tiles, model), statistics_shape=tuple(spec.shape[1:])
                )
            found[name] = making
    return found


def load_inputs(path: Path, name: str, making: Making, **reading: Any) -> Inputs:
    """A picture, or the images of a folder or file, at the size that an endpoint takes.

    Args:
        path: The picture, folder or file, or the name of a data set.
        name: Name of the endpoint.
        making: The endpoint.
        **reading: How the model's own images were read, as for `kgan.data.load`; by default as its
            kind says.
    """
    height, width, channels = making.shape
    reading = reading or declared(making)
    reading = {**reading, "image_size": (height, width)}
    data = kgan.data.load_given(str(path), what="inputs", **reading)
    if data.sample_shape != making.shape:
        raise ValueError(
            f"inputs of {name} must be images of {channels} channel(s) and {height}x{width} "
            f"pixels, got {'x'.join(map(str, data.sample_shape))} in {path}."
        )
    return Inputs(data, in_order=True)


def declared(making: Making) -> dict[str, Any]:
    """How the kind that an endpoint takes says that its samples are read."""
    kind = making.source or making.kind
    if not isinstance(kind, Images):
        return {}
    return {
        "value_range": kind.value_range,
        "channels": "rgba" if kind.has_opacity else None,
    }


def _by_name(signature: Any, model: Any) -> Callable[[Request], Request]:
    def function(request: Request) -> Request:
        return signature(**request)

    # The signature alone does not keep the model's variables alive.
    function.model = model  # type: ignore[attr-defined]
    return function
