"""The first linear maps of a generator's latents, whichever of its layers they are in."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Given = Callable[[tf.Tensor], list[tf.Tensor]]


def latent_kernels(
    generator: keras.Model, latents: tf.Tensor, labels: tf.Tensor | None
) -> list[np.ndarray]:
    """The kernels (latent_dim, outputs) of all first linear maps of a generator's latents.

    A first map is that of a layer with a `kernel`, or with `vector_maps`, the layers that act on
    the last of its inputs, where no other such layer lies between the latents and it. Layers of a
    model within the generator are looked at too. What does lie between, such as the choice of a
    part of the latents, an embedding of the class beside them, their normalisation or the Gaussian
    of their class, is multiplied in as the Jacobian that it has at a sample.

    Args:
        generator: A functional model of latents, or of `[latents, labels]`.
        latents: The sample's, (1, latent_dim).
        labels: Its class, (1,), or `None`.

    Returns:
        The kernels, as `kgan.latents.closed_form` takes them.

    Raises:
        ValueError: For a generator without such a layer.
    """
    found = _first_kernels(
        generator, lambda moved: [moved] if labels is None else [moved, labels], latents
    )
    if not found:
        names = ", ".join(layer.name for layer in generator.layers)
        raise ValueError(
            f"{generator.name} must have a layer whose kernel its latents reach, such as "
            f"keras.layers.Dense, got the layers {names}. Give the layer that takes the latents a "
            "property vector_maps: a list of the dense layers in it that act on them."
        )
    return found


def _first_kernels(network: keras.Model, given: Given, latents: tf.Tensor) -> list[np.ndarray]:
    """Those in a network whose inputs are a function of the latents."""
    kernels: list[np.ndarray] = []
    mapping: list[keras.layers.Layer] = []

    def values(*tensors: keras.KerasTensor) -> Given | None:
        parts = [keras.Model(network.inputs, one) for one in tensors]
        behind = [any(one in mapping for one in part.layers) for part in parts]
        if all(behind):
            return None

        def found(moved: tf.Tensor) -> list[tf.Tensor]:
            made = [part(given(moved), training=False) for part in parts]
            # What has been mapped already does not count.
            pairs = zip(made, behind, strict=True)
            return [tf.stop_gradient(one) if late else one for one, late in pairs]

        return found

    # A functional model has its layers in the order in which they are called.
    for layer in network.layers:
        if _is_functional(layer):
            inner = values(*layer._inbound_nodes[0].input_tensors)
            more = [] if inner is None else _first_kernels(layer, inner, latents)
        else:
            more = _own_kernels(layer, values, latents)
        if more:
            mapping.append(layer)
            kernels += more
    return kernels


def _own_kernels(
    layer: Any, values: Callable[..., Given | None], latents: tf.Tensor
) -> list[np.ndarray]:
    """Those of one layer; none where the latents do not reach it, or through another's alone."""
    maps: Any = getattr(layer, "vector_maps", None)
    kernel: Any = getattr(layer, "kernel", None)
    if maps is None and kernel is None:
        return []
    taken = layer._inbound_nodes[0].input_tensors
    if maps is None and (len(taken) > 1 or len(kernel.shape) != 2):
        # Such as a convolution, whose map is larger than its kernel.
        slopes = _jacobian(values(layer.output), latents)
        return [] if slopes is None else [slopes.reshape(-1, slopes.shape[-1]).T]
    slopes = _jacobian(values(taken[-1]), latents)
    if slopes is None:
        return []
    return [
        # Of each position, where a map is of several.
        np.concatenate([one.T @ np.asarray(each.kernel, np.float64) for one in slopes], axis=1)
        for each in (maps or [layer])
    ]


def _jacobian(values: Given | None, latents: tf.Tensor) -> np.ndarray | None:
    """Of the one value, float64 (positions, features, latent_dim); `None` where none moves it."""
    if values is None:
        return None
    with tf.GradientTape() as tape:
        tape.watch(latents)
        value = tf.cast(values(latents)[0], tf.float32)
    slopes = tape.jacobian(value, latents)
    if slopes is None:
        return None
    return np.asarray(slopes, np.float64).reshape(-1, value.shape[-1], latents.shape[-1])


def _is_functional(layer: Any) -> bool:
    """Whether it is a model whose layers can be looked at."""
    return isinstance(layer, keras.Model) and bool(getattr(layer, "outputs", None))
