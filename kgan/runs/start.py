"""Starts a training from a trained model: a run, a `.keras` file or an export."""

from pathlib import Path
from typing import Any

import tensorflow as tf

import kgan.export
import kgan.models
from kgan.models.transfer import Taken, take_exported, take_weights
from kgan.recipes import RECIPES
from kgan.runs.run import Run, is_run


def start_from(model: Any, path: Path) -> str:
    """Takes over the weights of a trained model as far as they fit.

    Args:
        model: The model that is to train.
        path: A run's folder, a `.keras` file, or an exported model.

    Returns:
        A line that says what was taken over.

    Raises:
        FileNotFoundError: If the path is none of these.
        ValueError: If it holds another family's model, or one with other networks.
    """
    source = path.expanduser()
    taken = _taken(model, source)
    new = ", ".join(taken.new[:3]) + (", ..." if len(taken.new) > 3 else "")
    rest = f"; new: {new}" if taken.new else ""
    return f"starting from {path}: {taken.weights} of {taken.of} weights{rest}"


def follow(recipe: Any, path: Path) -> None:
    """Lets a recipe that is left to choose go on as the run began whose weights it starts from.

    A `.keras` file or an export does not tell how it was trained, and changes nothing.

    Args:
        recipe: Of the preset `auto`.
        path: As for `start_from`.
    """
    source = path.expanduser()
    if not is_run(source):
        return
    run = Run.open(source, *RECIPES, what="init_from")
    if run.family != recipe.family:
        return
    shape = kgan.models.load(run.checkpoint()).sample_shape
    # A GAN of points is no start for images, which `start_from` says.
    if len(shape) == 3:
        recipe.follow(run.settings(type(recipe.settings)), shape, name=str(path))


def _taken(model: Any, source: Path) -> Taken:
    if is_run(source):
        run = Run.open(source, *RECIPES, what="init_from")
        return take_weights(model, kgan.models.load(run.checkpoint()))
    if source.suffix == ".keras":
        return take_weights(model, kgan.models.load(source))
    version = kgan.export.versions.newest(source) or source
    if not (version / "saved_model.pb").is_file():
        raise FileNotFoundError(
            f"init_from must be a run folder, a .keras file or an exported model, got {source}."
        )
    return take_exported(model, tf.saved_model.load(version).variables)
