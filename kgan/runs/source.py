"""Opens a source of samples: a run folder, a .keras file, or an exported model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import kgan.export
import kgan.kinds
import kgan.latents
import kgan.models
import kgan.names
from kgan.kinds import Kind, Table
from kgan.models.growing import not_grown
from kgan.models.styles import check_cutoff, check_share
from kgan.recipes import RECIPES, Recipe
from kgan.runs.made_of_samples import (
    Inputs,
    Making,
    declared,
    load_inputs,
    of_exported,
    of_model,
)
from kgan.runs.run import Run, is_run
from kgan.settings import FAMILIES
from kgan.settings.groups import ImageReading

_BATCH = 256
_GENERATE = "generate"
_WHERE = "generate_where"

Draw = Callable[[int, np.ndarray | None, int], Any]


class Source(NamedTuple):
    """A generator, from any kind of source.

    Attributes:
        kind: Kind of the samples.
        num_classes: Number of classes of a conditional generator, else `None`.
        generate: Function of (n, labels, seed) that returns samples (n, ...). `labels` are int32
            (n,) for a conditional generator, else `None`.
        class_names: Names of the classes; empty if unknown.
        model: The whole Keras model; `None` for an exported model.
        run: The run, if the source is a run folder, else `None`.
        recipe: The run's recipe, if it is one.
        endpoint: What the model is asked.
        generate_where: Function of (n, categories by column, seed) that returns rows which have
            these; `None` where nothing can be asked for.
        generate_truncated: Function of (n, labels, seed, truncation, cutoff) that returns samples
            nearer to the typical one; `None` where they are not made of latents.
        growing: Of networks that still grow, how far they are; else `None`.
        inputs: Where samples are made of other samples, a function of (n, seed) to those; sample i
            of `generate` is made of the i-th of them.
    """

    kind: Kind
    num_classes: int | None
    generate: Draw
    class_names: tuple[str, ...] | None = None
    model: Any = None
    run: Run | None = None
    recipe: Recipe | None = None
    endpoint: str = _GENERATE
    growing: str | None = None
    inputs: Inputs | None = None
    generate_where: Callable[[int, Mapping[str, str], int], Any] | None = None
    generate_truncated: Callable[..., Any] | None = None


def open_source(
    path: Path,
    *,
    checkpoint: str | None = None,
    endpoint: str | None = None,
    inputs: Path | None = None,
) -> Source:
    """Opens the generator of a run folder, a .keras file or an exported model.

    Args:
        path: Path of the folder or file.
        checkpoint: Name of the checkpoint of a run, "last" or "best"; by default the one that the
            run exports.
        endpoint: What to ask of a model that can be asked for several kinds of samples; by default
            samples of seeds, or where there are none its first translation or reconstruction.
        inputs: A picture, or a folder or file of samples, to make samples of; by default some that
            the run did not learn from.

    Raises:
        FileNotFoundError: If the path is none of these.
        ValueError: If it holds something else than a generator, or is no run and a checkpoint is
            given.
    """
    path = path.expanduser()
    opened = _opened(path, checkpoint)
    source, generates, makings = opened
    names = [*([_GENERATE] if generates else []), *makings]
    if not names:
        raise ValueError(
            f"{path} holds a {type(source.model).__name__}, which generates no samples from a seed "
            "and translates none."
        )
    if endpoint is None:
        endpoint = next(iter(makings)) if inputs is not None and makings else names[0]
    kgan.names.check("endpoint", endpoint, names)
    if endpoint in makings:
        return _making(source, path, endpoint, makings[endpoint], inputs)
    if inputs is not None:
        raise ValueError(f"inputs must be left out: {path} generates samples from a seed.")
    return source


def open_making(
    path: Path, *, checkpoint: str | None = None, direction: str | None = None
) -> tuple[Making, dict[str, Any]]:
    """Opens what a model makes of samples, and tells how its inputs are read.

    Args:
        path: A run folder, a .keras file or an exported model.
        checkpoint: As for `open_source`.
        direction: Of a model of several, such as "a-to-b"; by default the first.

    Returns:
        The endpoint, and fields of `kgan.data.Reading` as the run, or the kind that the model
        takes, declares them.

    Raises:
        FileNotFoundError: If the path is none of these.
        ValueError: If it translates nothing, or not in that direction.
    """
    path = path.expanduser()
    opened = _opened(path, checkpoint)
    if not opened.makings:
        raise ValueError(f"{path} holds a model that translates nothing.")
    # A model of one direction has no name for it.
    by_direction = {
        "a-to-b" if name == "translate" else name.replace("_", "-"): making
        for name, making in opened.makings.items()
    }
    chosen = next(iter(by_direction)) if direction is None else direction.replace("_", "-")
    making = kgan.names.look_up("direction", chosen, by_direction)
    run = opened.source.run
    return making, declared(making) if run is None else _reading_of_inputs(run, making)


class _Opened(NamedTuple):
    """A source that generates from seeds, whether it can, and what else makes samples."""

    source: Source
    generates: bool
    makings: Mapping[str, Making]


def _opened(path: Path, checkpoint: str | None) -> _Opened:
    if is_run(path):
        return _of_run(path, checkpoint)
    opened = _of_file_or_version(path)
    if checkpoint is not None:
        raise ValueError(f"checkpoint must be left out: {path} is no run, got {checkpoint!r}.")
    return opened


def _of_run(path: Path, checkpoint: str | None) -> _Opened:
    run = Run.open(path, *RECIPES, what="a source of samples")
    recipe = RECIPES[run.family](run.settings(FAMILIES[run.family]))
    model = kgan.models.load(run.checkpoint(checkpoint))
    opened = _of_model(model, recipe.draw(model))
    names = class_names_of(run)
    return opened._replace(source=opened.source._replace(run=run, recipe=recipe, class_names=names))


def class_names_of(run: Run) -> tuple[str, ...] | None:
    """Names of the classes in a run's data, as far as the run has kept them."""
    names = None if run.data is None else run.data.get("class_names")
    return None if names is None else tuple(names)


def reading_of(run: Run) -> dict[str, Any]:
    """How a run reads its images; a range that the whole set told is the one it told then."""
    settings = run.settings(FAMILIES[run.family])
    reading = getattr(settings, "reading", None)
    reading = dict(ImageReading().reading if reading is None else reading)
    if reading["value_range"] == "auto" and run.data is not None:
        found = run.data.get("value_range")
        reading["value_range"] = "auto" if found is None else tuple(found)
    return reading


def _reading_of_inputs(run: Run, making: Making) -> dict[str, Any]:
    """How a run reads what its model takes, which may differ from what it makes."""
    reading, own = reading_of(run), declared(making)
    if own.get("channels") is not None:
        reading["channels"] = own["channels"]
    elif making.source is not None and making.shape[-1:] != making.kind.shape[-1:]:
        # The run's choice was that of the images that are made.
        reading["channels"] = None
    if reading.get("value_range") == "auto":
        # Of two domains, each has the range of its own images.
        reading["value_range"] = own.get("value_range")
    return reading


def _of_file_or_version(path: Path) -> _Opened:
    if path.suffix == ".keras":
        model = kgan.models.load(path)

        def generate(n: int, labels: np.ndarray | None, seed: int) -> Any:
            return model.generate(n, labels, seed=seed)

        return _of_model(model, generate)
    version = kgan.export.versions.newest(path) or path
    if not (version / "saved_model.pb").is_file():
        raise FileNotFoundError(
            f"{path} is neither a run folder, nor a .keras file, nor an exported model."
        )
    return _exported(version)


def _of_model(model: Any, generate: Draw) -> _Opened:
    num_classes = getattr(model, "num_classes", None)
    kind = getattr(model, "kind", None)
    where = None
    if hasattr(model, "codes_of"):

        def where(n: int, asked: Mapping[str, str], seed: int) -> Any:
            return model.generate(n, seed=seed, where=asked)

    truncated = None
    if isinstance(model, kgan.models.GAN):

        def truncated(
            n: int, labels: np.ndarray | None, seed: int, truncation: float, cutoff: int | None
        ) -> Any:
            return model.generate_truncated(n, truncation, labels, seed=seed, cutoff=cutoff)

    source = Source(
        kind,  # type: ignore[arg-type]
        num_classes,
        generate,
        model=model,
        growing=not_grown(model),
        generate_where=where,
        generate_truncated=truncated,
    )
    return _Opened(source, hasattr(model, "generate"), of_model(model))


def _exported(version: Path) -> _Opened:
    manifest = kgan.export.manifest.read(version)
    model = tf.saved_model.load(version)
    makings = of_exported(model, manifest)
    if (_GENERATE not in model.signatures and not makings) or manifest.kind is None:
        raise ValueError(
            f"{version} has the signatures {', '.join(sorted(model.signatures))}, none of which "
            "generates samples from a seed, or translates some."
        )
    kind = kgan.kinds.from_config(manifest.kind)

    def answers(
        n: int, labels: np.ndarray | None, seed: int, answer: Callable[..., Mapping[str, Any]]
    ) -> Any:
        seeds = kgan.latents.example_seeds(seed, n)
        batches = []
        for start in range(0, n, _BATCH):
            given = {}
            if labels is not None:
                given["labels"] = tf.constant(labels[start : start + _BATCH], tf.int64)
            batches.append(answer(seeds[start : start + _BATCH], given))
        return _joined(kind, batches)

    def generate(n: int, labels: np.ndarray | None, seed: int) -> Any:
        return answers(
            n, labels, seed, lambda seeds, given: model.signatures[_GENERATE](seeds=seeds, **given)
        )

    def generate_truncated(
        n: int, labels: np.ndarray | None, seed: int, truncation: float, cutoff: int | None
    ) -> Any:
        pulled = {}
        if "truncate" in model.signatures:
            check_share(truncation)
            pulled = _pulled(model, cutoff, version)
        else:
            check_cutoff(cutoff, None)

        def answer(seeds: tf.Tensor, given: Mapping[str, Any]) -> Mapping[str, Any]:
            latents = model.signatures["latents"](seeds=seeds)["latents"]
            if "truncate" in model.signatures:
                rows = tf.shape(seeds)
                more = {name: tf.fill(rows, value) for name, value in pulled.items()}
                share = tf.fill(rows, tf.constant(truncation, tf.float32))
                return model.signatures["truncate"](latents=latents, share=share, **more, **given)
            first = {name: value[:1] for name, value in given.items()}

            def decode(points: tf.Tensor) -> Any:
                (made,) = model.signatures["decode"](latents=points, **first).values()
                return made

            kgan.latents.check_truncates(decode, latents)
            near = kgan.latents.truncated(latents, truncation)
            return model.signatures["decode"](latents=near, **given)

        return answers(n, labels, seed, answer)

    def generate_where(n: int, asked: Mapping[str, str], seed: int) -> Any:
        assert isinstance(kind, Table)
        columns = [one.name for one in kind.conditions]
        words = dict(zip(columns, kgan.models.words_of(kind, asked), strict=True))
        # What a row has at the first draw; the rest is drawn for.
        told = manifest.content.get("conditions", columns) if _WHERE in model.signatures else []

        def of_seeds(seeds: tf.Tensor) -> Any:
            batches = []
            for start in range(0, max(len(seeds), 1), _BATCH):
                part = seeds[start : start + _BATCH]
                if set(asked) & set(told):
                    where = np.tile(np.array([words[one] for one in told], object), (len(part), 1))
                    answer = model.signatures[_WHERE](seeds=part, where=tf.constant(where))
                else:
                    answer = model.signatures[_GENERATE](seeds=part)
                batches.append(answer)
            return _joined(kind, batches)

        if set(asked) <= set(told):
            return of_seeds(kgan.latents.example_seeds(seed, n))
        return kgan.models.rows_until_met(of_seeds, n, table=kind, where=asked, seed=seed)

    asks = isinstance(kind, Table) and _GENERATE in model.signatures
    truncates = manifest["family"] == "gan" and {"latents", "decode"} <= set(model.signatures)
    source = Source(
        kind,
        manifest["num_classes"],
        generate,
        manifest.class_names,
        # Earlier exports do not say.
        growing=manifest.content.get("growing"),
        generate_where=generate_where if asks else None,
        generate_truncated=generate_truncated if truncates else None,
    )
    return _Opened(source, _GENERATE in model.signatures, makings)


def _pulled(model: Any, cutoff: int | None, version: Path) -> dict[str, tf.Tensor]:
    """How many of the first styles an export's `truncate` pulls, as its input for one sample."""
    count = model.signatures["style"].structured_outputs["styles"].shape[1]
    check_cutoff(cutoff, count)
    if "cutoff" in model.signatures["truncate"].structured_input_signature[1]:
        return {"cutoff": tf.constant(count if cutoff is None else cutoff, tf.int64)}
    if cutoff in (None, count):
        return {}
    raise ValueError(
        f"cutoff must be left out: {version} was exported by a version without it, got {cutoff}. "
        "Export the run anew."
    )


def _joined(kind: Kind, batches: Sequence[Mapping[str, Any]]) -> Any:
    return kind.of_answer(
        {name: np.concatenate([one[name] for one in batches]) for name in batches[0]}
    )


def _making(source: Source, path: Path, name: str, making: Making, images: Path | None) -> Source:
    """The source, whose samples are made of inputs."""
    inputs = None
    if images is not None:
        reading = {} if source.run is None else _reading_of_inputs(source.run, making)
        inputs = load_inputs(images.expanduser(), name, making, **reading)
    elif source.recipe is not None and (data := source.recipe.inputs(name)) is not None:
        inputs = Inputs(data)
    if inputs is None:
        shape = "x".join(map(str, making.shape))
        raise ValueError(
            f"{path} makes samples of others: its endpoint {name} needs images of {shape}. Name a "
            "folder or file of them with --inputs."
        )

    def generate(n: int, labels: np.ndarray | None, seed: int) -> Any:
        return making.of(inputs(n, seed))

    return source._replace(
        kind=making.kind, num_classes=None, generate=generate, endpoint=name, inputs=inputs
    )
