"""`kgan sample SOURCE`: samples from a run, a .keras file or an exported model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

import kgan.pictures
from kgan.cli.command_line import Request
from kgan.data.table_files import write_csv, write_parquet
from kgan.files import atomic_path
from kgan.kinds import Images, Kind, Table
from kgan.labels import class_number
from kgan.pixels import to_uint8, visible
from kgan.recipes import Recipe
from kgan.runs import outputs
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
    out = settings.out or Path("samples").with_suffix(default_suffix(source.kind))
    outputs.check_folder("out", out if out.is_dir() else out.parent)
    n = settings.n or _default_count(source, settings)
    labels = chosen_labels(source, settings.labels, n)
    samples = source.generate(n, labels, settings.seed)
    inputs = None if source.inputs is None else source.inputs(n, settings.seed)
    write(
        source.kind,
        samples,
        labels,
        out,
        inputs=inputs,
        recipe=source.recipe,
        class_names=source.class_names,
    )
    print(f"{n} samples in {out}")
    return 0


def _default_count(source: Source, settings: SampleSettings) -> int:
    """All inputs that the user named, else a hundred samples, or as many as there are inputs."""
    if source.inputs is None:
        return _COUNT
    there = len(source.inputs.data)
    return there if settings.inputs is not None else min(_COUNT, there)


def chosen_labels(source: Source, chosen: Sequence[str | int], n: int) -> np.ndarray | None:
    """The labels of `n` samples, int32 (n,): repeats the chosen classes, or all classes, in order.

    Args:
        source: The generator.
        chosen: Names or numbers of the chosen classes; empty for all classes.
        n: Number of samples.
    """
    if source.num_classes is None:
        if chosen:
            raise ValueError("labels must be left out: the generator is unconditional.")
        return None
    classes = source.num_classes
    numbers = [class_number(one, source.class_names, classes) for one in chosen]
    return np.resize(np.array(numbers or range(classes), np.int32), n)


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
    class_names: Sequence[str] | None = None,
) -> None:
    """Writes samples in the form that the path's suffix asks for.

    Args:
        kind: What a sample is.
        samples: The samples.
        labels: Their classes, where they have some.
        path: Where to write.
        inputs: What the samples are made of, if that is other samples; it is written beside them.
        recipe: Of the run that made them, if any: it knows real samples to draw beside them.
        class_names: What their classes are called, which names their folders.
    """
    writers = WRITERS.get(type(kind), {})
    if path.suffix == ".npz":
        arrays: dict[str, Any] = kind.arrays(samples)
        if labels is not None:
            arrays |= {"labels": labels}
            arrays |= {} if class_names is None else {"class_names": np.array(class_names)}
        arrays |= {} if inputs is None else {"inputs": inputs}
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, **arrays)
    elif path.suffix == ".png" and inputs is not None:
        shown = kind.shown if isinstance(kind, Images) else None
        # Of inputs of another domain only the usual channels are known.
        theirs = shown if inputs.shape[1:] == samples.shape[1:] else None
        picture = kgan.pictures.pairs(visible(inputs, theirs), visible(samples, shown))
        kgan.pictures.save_image(picture, path)
    elif path.suffix == ".png":
        _draw(kind, samples, labels, path, recipe)
    elif path.suffix in writers:
        writers[path.suffix](samples, path)
    elif isinstance(kind, Images) and inputs is not None:
        _write_before_and_after(kind, inputs, samples, path)
    elif isinstance(kind, Images):
        _write_folder(kind, samples, labels, path, class_names)
    else:
        allowed = " or ".join((*writers, ".png", ".npz"))
        raise ValueError(f"out must end in {allowed} for {kind.plural}, got {path}.")


def _draw(
    kind: Kind, samples: Any, labels: np.ndarray | None, path: Path, recipe: Recipe | None
) -> None:
    real = None
    if recipe is not None and not isinstance(kind, Images):
        try:
            real = recipe.data().samples
        except (OSError, ValueError, ImportError) as error:
            print(f"drawn without real samples: {error}")
    if isinstance(kind, Images) and labels is not None and len(set(labels.tolist())) > 1:
        rows, columns = kgan.pictures.by_class(labels, aspect=kind.width / kind.height)
        # Empty cells are white.
        cells = visible(samples, kind.shown)[rows]
        cells[rows < 0] = 1.0
        picture = kgan.pictures.grid(cells, columns)
    else:
        picture = kgan.pictures.samples(kind, samples, real=real)
    kgan.pictures.save_image(picture, path)


def _write_folder(
    kind: Images,
    samples: np.ndarray,
    labels: np.ndarray | None,
    folder: Path,
    class_names: Sequence[str] | None,
) -> None:
    _check_new(folder)
    with atomic_path(folder) as temporary:
        for index, image in enumerate(samples):
            place = temporary
            if labels is not None:
                label = int(labels[index])
                name = str(label) if class_names is None else class_names[label]
                place = temporary / name.replace("/", "_")
            _write_image(kind, image, place / f"{index:05d}.png")


def _write_before_and_after(
    kind: Images, inputs: np.ndarray, samples: np.ndarray, folder: Path
) -> None:
    _check_new(folder)
    with atomic_path(folder) as temporary:
        for index, images in enumerate(zip(inputs, samples, strict=True)):
            for place, image in zip(("before", "after"), images, strict=True):
                _write_image(kind, image, temporary / place / f"{index:05d}.png")


def _check_new(folder: Path) -> None:
    if folder.exists():
        raise FileExistsError(f"{folder} exists; choose another --out or remove it.")


def _write_image(kind: Images, image: np.ndarray, path: Path) -> None:
    """A PNG file, or a TIFF file of a page for each channel where PNG has no such channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels, channels = to_uint8(image), image.shape[-1]
    if channels in (1, 3) or (kind.has_opacity and channels == 4):
        kgan.pictures.as_picture(pixels).save(path)
        return
    first, *others = [Image.fromarray(page) for page in np.moveaxis(pixels, -1, 0)]
    first.save(path.with_suffix(".tif"), save_all=True, append_images=others)
