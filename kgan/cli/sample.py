"""`kgan sample SOURCE`: samples from a run, a .keras file or an exported model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

import kgan.pictures
from kgan.cli.command_line import Request
from kgan.data.table_files import write_csv, write_parquet
from kgan.files import atomic_path
from kgan.kinds import Images, Kind, Table
from kgan.pixels import to_uint8
from kgan.recipes import Recipe
from kgan.runs.source import Source, open_source
from kgan.settings import SampleSettings

_COUNT = 100


def main(request: Request) -> int:
    """The body of `kgan sample`: generates and writes."""
    settings = cast(SampleSettings, request.settings)
    source = open_source(
        settings.source,
        checkpoint=settings.checkpoint,
        endpoint=settings.endpoint,
        inputs=settings.inputs,
    )
    n = settings.n or _default_count(source, settings)
    labels = chosen_labels(source, settings.labels, n)
    samples = source.generate(n, labels, settings.seed)
    inputs = None if source.inputs is None else source.inputs(n, settings.seed)
    out = settings.out or Path("samples").with_suffix(default_suffix(source.kind))
    write(source.kind, samples, labels, out, inputs=inputs, recipe=source.recipe)
    print(f"{n} samples in {out}")
    return 0


def _default_count(source: Source, settings: SampleSettings) -> int:
    """All inputs that the user named, else a hundred samples, or as many as there are inputs."""
    if source.inputs is None:
        return _COUNT
    there = len(source.inputs.data)
    return there if settings.inputs is not None else min(_COUNT, there)


def chosen_labels(source: Source, chosen: tuple[int, ...], n: int) -> np.ndarray | None:
    """The labels of `n` samples, int32 (n,): repeats the chosen classes, or all classes, in order.

    Args:
        source: The generator.
        chosen: The chosen class numbers; empty for all classes.
        n: Number of samples.
    """
    if source.num_classes is None:
        if chosen:
            raise ValueError("labels must be left out: the generator is unconditional.")
        return None
    chosen = chosen or tuple(range(source.num_classes))
    if not all(0 <= label < source.num_classes for label in chosen):
        raise ValueError(f"labels must be in [0, {source.num_classes - 1}], got {chosen}.")
    return np.resize(np.array(chosen, np.int32), n)


WRITERS: dict[type[Kind], Mapping[str, Callable[[Any, Path], None]]] = {
    Table: {".csv": write_csv, ".parquet": write_parquet},
}
"""Files in which samples of a kind are read elsewhere, by suffix; the first is the usual one."""


def default_suffix(kind: Kind) -> str:
    """The usual form of samples of that kind."""
    return next(iter(WRITERS.get(type(kind), (".png",))))


def write(
    kind: Kind,
    samples: Any,
    labels: np.ndarray | None,
    path: Path,
    *,
    inputs: np.ndarray | None = None,
    recipe: Recipe | None = None,
) -> None:
    """Writes samples in the form that the path's suffix asks for.

    Args:
        kind: What a sample is.
        samples: The samples.
        labels: Their classes, where they have some.
        path: Where to write.
        inputs: What the samples are made of, if that is other samples; it is written beside them.
        recipe: Of the run that made them, if any: it knows real samples to draw beside them.
    """
    writers = WRITERS.get(type(kind), {})
    if path.suffix == ".npz":
        arrays: dict[str, Any] = kind.arrays(samples)
        arrays |= {} if labels is None else {"labels": labels}
        arrays |= {} if inputs is None else {"inputs": inputs}
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, **arrays)
    elif path.suffix == ".png" and inputs is not None:
        kgan.pictures.save_image(kgan.pictures.pairs(inputs, samples), path)
    elif path.suffix == ".png":
        _draw(kind, samples, labels, path, recipe)
    elif path.suffix in writers:
        writers[path.suffix](samples, path)
    elif isinstance(kind, Images) and inputs is not None:
        _write_before_and_after(inputs, samples, path)
    elif isinstance(kind, Images):
        _write_folder(samples, labels, path)
    else:
        allowed = " or ".join((*writers, ".png", ".npz"))
        raise ValueError(f"out must end in {allowed} for {kind.plural}, got {path}.")


def _draw(
    kind: Kind, samples: Any, labels: np.ndarray | None, path: Path, recipe: Recipe | None
) -> None:
    real, columns = None, None
    if recipe is not None and not isinstance(kind, Images):
        try:
            real = recipe.data().samples
        except (OSError, ValueError, ImportError) as error:
            print(f"drawn without real samples: {error}")
    if labels is not None and len(set(labels.tolist())) > 1:
        # The labels repeat the classes in order, so each class gets a column.
        columns = min(len(set(labels.tolist())), len(samples))
    picture = kgan.pictures.samples(kind, samples, real=real, columns=columns)
    kgan.pictures.save_image(picture, path)


def _write_folder(samples: np.ndarray, labels: np.ndarray | None, folder: Path) -> None:
    _check_new(folder)
    with atomic_path(folder) as temporary:
        for index, image in enumerate(samples):
            place = temporary if labels is None else temporary / str(labels[index])
            _write_image(image, place / f"{index:05d}.png")


def _write_before_and_after(inputs: np.ndarray, samples: np.ndarray, folder: Path) -> None:
    _check_new(folder)
    with atomic_path(folder) as temporary:
        for index, images in enumerate(zip(inputs, samples, strict=True)):
            for place, image in zip(("before", "after"), images, strict=True):
                _write_image(image, temporary / place / f"{index:05d}.png")


def _check_new(folder: Path) -> None:
    if folder.exists():
        raise FileExistsError(f"{folder} exists; choose another --out or remove it.")


def _write_image(image: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kgan.pictures.as_picture(to_uint8(image)).save(path)
