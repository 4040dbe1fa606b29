"""What gives samples: a run folder, a .keras file, or an exported model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import kgan.export
import kgan.kinds
import kgan.latents
import kgan.models
from kgan.kinds import Kind
from kgan.recipes import RECIPES
from kgan.runs.run import Run, is_run
from kgan.settings import FAMILIES

_BATCH = 256

Draw = Callable[[int, np.ndarray | None, int], Any]


class Source(NamedTuple):
    """A generator, wherever it came from.

    Attributes:
        kind: Kind of its samples.
        num_classes: Number of classes of a conditional one, else `None`.
        generate: `(n, labels, seed)` to samples (n, ...); labels int32 (n,) where conditional, else
            `None`.
        class_names: What the classes are called, where that is known.
        model: The whole model, where there is one.
        run: The run, if it is one.
    """

    kind: Kind
    num_classes: int | None
    generate: Draw
    class_names: tuple[str, ...] | None = None
    model: Any = None
    run: Run | None = None


def open_source(path: Path, *, checkpoint: str | None = None) -> Source:
    """The generator of a run folder, a .keras file or an exported model.

    Args:
        path: Where it is.
        checkpoint: Which checkpoint of a run, "last" or "best"; by default the exported one.

    Raises:
        FileNotFoundError: Where the path is none of these.
        ValueError: Where it holds something else than a generator.
    """
    path = path.expanduser()
    if is_run(path):
        run = Run.open(path, *RECIPES, what="a source of samples")
        recipe = RECIPES[run.family](run.settings(FAMILIES[run.family]))
        model = kgan.models.load(run.checkpoint(checkpoint))
        return _of_model(model, recipe.draw(model), path)._replace(run=run)
    if path.suffix == ".keras":
        model = kgan.models.load(path)
        if not hasattr(model, "generate"):
            raise ValueError(
                f"{path} holds a {type(model).__name__}, which generates no samples from a seed."
            )

        def generate(n: int, labels: np.ndarray | None, seed: int) -> Any:
            return model.generate(n, labels, seed=seed)

        return _of_model(model, generate, path)
    version = kgan.export.versions.newest(path) or path
    if not (version / "saved_model.pb").is_file():
        raise FileNotFoundError(
            f"{path} is neither a run folder, nor a .keras file, nor an exported model."
        )
    return _exported(version)


def _of_model(model: Any, generate: Draw, path: Path) -> Source:
    return Source(model.kind, getattr(model, "num_classes", None), generate, model=model)


def _exported(version: Path) -> Source:
    manifest = kgan.export.manifest.read(version)
    model = tf.saved_model.load(version)
    if "generate" not in model.signatures or manifest.kind is None:
        raise ValueError(
            f"{version} has the signatures {', '.join(sorted(model.signatures))}, none of which "
            "generates samples from a seed."
        )
    kind = kgan.kinds.from_config(manifest.kind)
    signature = model.signatures["generate"]

    def generate(n: int, labels: np.ndarray | None, seed: int) -> Any:
        seeds = kgan.latents.example_seeds(seed, n)
        batches = []
        for start in range(0, n, _BATCH):
            request = {"seeds": seeds[start : start + _BATCH]}
            if labels is not None:
                request["labels"] = tf.constant(labels[start : start + _BATCH], tf.int64)
            batches.append(signature(**request)[kind.plural].numpy())
        return np.concatenate(batches)

    # The signature alone does not keep the model's variables alive.
    generate.model = model  # type: ignore[attr-defined]
    return Source(kind, manifest["num_classes"], generate, manifest.class_names)
