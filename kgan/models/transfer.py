"""Starting a training from the weights of another: what fits is taken over, the rest stays new."""

import difflib
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from kgan.models.players import Players

# Below that share of the weights the networks are not the same ones.
_FEWEST = 0.5
# How far a network has grown is no weight: the model that trains sets it, or it is fully grown.
_LEVEL = "reached"


class Taken(NamedTuple):
    """What was taken over.

    Attributes:
        weights: How many of the model's weights, counting arrays.
        of: How many weights there are.
        new: Names of those that stay as they were made, such as a table with a row a class.
    """

    weights: int
    of: int
    new: tuple[str, ...]


def take_weights(model: Players, source: Players) -> Taken:
    """Copies the weights of another model of the same class, averages included.

    Weights are matched in order, by their names inside a layer and their shapes: those of other
    classes, or of a layer that the source lacks, stay new. Optimizers and steps start anew.

    Args:
        model: The model that is to train.
        source: A trained model, whose networks are like this one's.

    Raises:
        ValueError: If the classes differ, or less than half of a network's weights fit.
    """
    if type(source) is not type(model):
        raise ValueError(
            f"a {type(model).__name__} must start from a {type(model).__name__}, got a "
            f"{type(source).__name__}."
        )
    found = []
    for name in _copied(model):
        theirs, ours = getattr(source, name), getattr(model, name)
        if theirs is not None and ours is not None:
            found.append(_copy(name, theirs.variables, ours.variables))
    return _together(found)


def take_exported(model: Any, variables: Sequence[Any]) -> Taken:
    """The same from the variables of an exported model, which has averages in place of networks.

    Args:
        model: The model that is to train, with `endpoints()`.
        variables: `tf.saved_model.load(folder).variables`.
    """
    # A model of a table tracks single variables too.
    ours = [
        one
        for tracked in model.endpoints().tracked
        for one in getattr(tracked, "variables", [tracked])
    ]
    taken = _copy("exported networks", variables, ours)
    for name in _copied(model):
        average = getattr(model, f"ema_{name}", None)
        if average is not None:
            getattr(model, name).set_weights(average.get_weights())
    return taken


def freeze_first(what: str, network: keras.Model, layers: int) -> None:
    """Freezes the first layers with weights of a network, as FreezeD does; before `compile`.

    Reference: Mo et al. 2020, "Freeze the discriminator" (arXiv:2002.10964).

    Args:
        what: What the network is, for an error.
        network: The network.
        layers: How many layers with weights, counted from the input.
    """
    weighted = [layer for layer in network.layers if layer.trainable_weights]
    if not 0 <= layers < len(weighted):
        raise ValueError(
            f"layers of the {what} that are frozen must be fewer than its {len(weighted)} with "
            f"weights, got {layers}."
        )
    for layer in weighted[:layers]:
        layer.trainable = False


def _copied(model: Players) -> list[str]:
    """Names of the networks of a model, and of their averages."""
    names = [name for names in model.optimizers.values() for name in names]
    averages = [f"ema_{name}" for name in names]
    return [*names, *(name for name in averages if hasattr(model, name))]


def _copy(name: str, theirs: Sequence[Any], ours: Sequence[Any]) -> Taken:
    first_keys, second_keys = (list(map(_key, variables)) for variables in (theirs, ours))
    matcher = difflib.SequenceMatcher(a=first_keys, b=second_keys, autojunk=False)
    matched = set()
    for first, second, length in matcher.get_matching_blocks():
        for number in range(length):
            if second_keys[second + number][0] != _LEVEL:
                ours[second + number].assign(np.asarray(theirs[first + number]))
            matched.add(second + number)
    if len(matched) < _FEWEST * len(ours):
        raise ValueError(
            f"{name} must be like the source's to start from its weights: {len(matched)} of "
            f"{len(ours)} fit. Choose the same networks, widths, latents and image size (a preset, "
            "--generator-width, --image-size and the like)."
        )
    new = tuple(_path(one) for number, one in enumerate(ours) if number not in matched)
    return Taken(len(matched), len(ours), new)


def _key(variable: Any) -> tuple[str, tuple[int, ...]]:
    return _path(variable).rpartition("/")[2], tuple(variable.shape)


def _path(variable: Any) -> str:
    """A Keras variable's path, or a TensorFlow variable's name without its output number."""
    return getattr(variable, "path", None) or variable.name.partition(":")[0]


def _together(found: Sequence[Taken]) -> Taken:
    return Taken(
        sum(one.weights for one in found),
        sum(one.of for one in found),
        tuple(name for one in found for name in one.new),
    )
