"""`kgan sample SOURCE`: samples from a run, a .keras file or an exported model."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

import kgan.pictures
from kgan.cli.command_line import Request
from kgan.cli.standing import stand
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
# So many take longer than one waits without a word.
_MANY = 10_000


def main(request: Request) -> int:
    """The body of `kgan sample`: generates and writes."""
    settings = cast(SampleSettings, request.settings)
    if settings.out is not None:
        check_out(settings.out)
    source = open_source(
        settings.source,
        checkpoint=settings.checkpoint,
        endpoint=settings.endpoint,
        inputs=settings.inputs,
    )
    n = settings.n or _default_count(source, settings)
    out = settings.out or Path("samples").with_suffix(default_suffix(source.kind))
    check_out(out, source.kind)
    in_picture = isinstance(source.kind, Images) and out.suffix.lower() == ".png"
    outputs.check_count(n, source.kind.shape, picture=in_picture)
    if n > _MANY:
        print(f"making {n:,} samples ...", flush=True)
    labels = chosen_labels(source, settings.labels, n)
    if settings.standing_statistics is not None:
        stand(
            source.model,
            settings.standing_statistics,
            source=settings.source,
            truncation=settings.truncation,
        )
    if settings.where:
        if source.generate_where is None:
            raise ValueError(
                f"where must be left out: {settings.source} makes no rows that can be asked for."
            )
        samples = source.generate_where(n, asked_of(source.kind, settings.where), settings.seed)
    elif settings.truncation is not None:
        if source.generate_truncated is None or source.inputs is not None:
            raise ValueError(
                f"truncation must be left out: {settings.source} holds no GAN that makes samples "
                "of latents."
            )
        samples = source.generate_truncated(
            n, labels, settings.seed, settings.truncation, settings.cutoff
        )
    else:
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
    folder = isinstance(source.kind, Images) and out.suffix.lower() not in (".png", ".npz")
    print(f"{n} samples in {'the folder ' if folder else ''}{out}")
    return 0


def _default_count(source: Source, settings: SampleSettings) -> int:
    """All inputs that the user named, else a hundred samples, or as many as there are inputs."""
    if source.inputs is None:
        return _COUNT
    there = len(source.inputs.data)
    return there if settings.inputs is not None else min(_COUNT, there)


def chosen_labels(
    source: Source, chosen: Sequence[str | int], n: int, *, what: str = "labels"
) -> np.ndarray | None:
    """The labels of `n` samples, int32 (n,): repeats the chosen classes, or all classes, in order.

    Args:
        source: The generator.
        chosen: Names or numbers of the chosen classes; empty for all classes.
        n: Number of samples.
        what: The setting that chooses them; errors begin with it.

    Raises:
        ValueError: For an unconditional generator, a class that it has not, or more classes than
            samples.
    """
    if source.num_classes is None:
        if chosen:
            raise ValueError(f"{what} must be left out: the generator is unconditional.")
        return None
    if len(chosen) > n:
        words = " ".join(map(str, chosen))
        raise ValueError(
            f"{what} must be at most {n}, as many as there are samples, got {words}. Choose "
            "fewer classes, or more samples."
        )
    classes = source.num_classes
    numbers = [class_number(one, source.class_names, classes, what=what) for one in chosen]
    return np.resize(np.array(numbers or range(classes), np.int32), n)


def asked_of(kind: Kind, where: Sequence[str]) -> dict[str, str]:
    """What is asked for, by column, of words such as "income=>50K".

    Args:
        kind: The table.
        where: The words.
    """
    names = {one.name for one in kind.columns} if isinstance(kind, Table) else set()
    found: dict[str, str] = {}
    for word in where:
        places = [place for place, letter in enumerate(word) if letter == "="]
        # A name may hold a = itself.
        place = next((one for one in places if word[:one] in names), next(iter(places), None))
        if place is None:
            raise ValueError(
                f"where must be COLUMN=CATEGORY, got {word!r}: only that a category is equal can "
                "be asked for."
            )
        name, value = word[:place], word[place + 1 :]
        if name not in names and name[:-1].strip() in names and name[-1:] in "<>!":
            raise ValueError(
                f"where must be COLUMN=CATEGORY, got {word!r}: only that a category is equal can "
                "be asked for. Of other conditions, make more rows and keep those that meet them."
            )
        if found.get(name, value) != value:
            raise ValueError(f"where must ask for one category of {name!r}, got {' '.join(where)}.")
        found[name] = value
    return found


WRITERS: dict[type[Kind], Mapping[str, Callable[..., None]]] = {
    Table: {".csv": write_csv, ".parquet": write_parquet},
}
"""Files in which samples of a kind are read elsewhere, by suffix; the first is the usual one."""


# Of files that samples of some kind may be in, or that other programs would write.
_NO_FOLDERS = (".csv", ".parquet", ".npy", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff")


def check_out(path: Path, kind: Kind | None = None) -> None:
    """Raises where samples could not be written, before any is made.

    Args:
        path: Where to write.
        kind: What a sample is, once that is known.

    Raises:
        ValueError: For a suffix that says nothing for this kind.
        OSError: Where the path cannot be written to, or is a folder that is there.
    """
    suffix = path.suffix.lower()
    if kind is not None:
        forms = tuple(dict.fromkeys((*WRITERS.get(type(kind), {}), ".png", ".npz")))
        if suffix not in forms and (suffix in _NO_FOLDERS or not isinstance(kind, Images)):
            folder = ", or be a folder" if isinstance(kind, Images) else ""
            raise ValueError(
                f"out must end in {' or '.join(forms)}{folder} for {kind.plural}, got {path}."
            )
    if suffix in (".png", ".npz", *_NO_FOLDERS):
        outputs.check_file("out", path)
        return
    _check_new(path)
    outputs.check_folder("out", path)


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
    writers, suffix = WRITERS.get(type(kind), {}), path.suffix.lower()
    if suffix == ".npz":
        arrays: dict[str, Any] = kind.arrays(samples)
        if labels is not None:
            arrays |= {"labels": labels}
            arrays |= {} if class_names is None else {"class_names": np.array(class_names)}
        arrays |= {} if inputs is None else {"inputs": inputs}
        # Given a path, numpy would add a suffix to one that ends in ".NPZ".
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
    elif suffix == ".png" and inputs is not None:
        shown = kind.shown if isinstance(kind, Images) else None
        # Of inputs of another domain only the usual channels are known.
        theirs = shown if inputs.shape[1:] == samples.shape[1:] else None
        picture = kgan.pictures.pairs(visible(inputs, theirs), visible(samples, shown))
        kgan.pictures.save_image(picture, path)
    elif suffix == ".png":
        _draw(kind, samples, labels, path, recipe)
    elif suffix in writers:
        writers[suffix](samples, path, table=kind)
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
    folders = None if class_names is None else folder_names(class_names)
    with atomic_path(folder) as temporary:
        for index, image in enumerate(samples):
            place = temporary
            if labels is not None:
                label = int(labels[index])
                place = temporary / (str(label) if folders is None else folders[label])
            write_image(kind, image, place / f"{index:05d}.png")


def folder_names(class_names: Sequence[str]) -> list[str]:
    """What the folder of each class is called: its name, as one part of a path on any system.

    Args:
        class_names: Names of the classes, which may hold anything.
    """
    found: list[str] = []
    for number, name in enumerate(class_names):
        part = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", name)
        if not part.strip(" .") or len(part.encode(errors="replace")) > 200:
            # Such as "..", which is another folder.
            part = str(number)
        while part in found:
            part += "_"
        found.append(part)
    return found


def _write_before_and_after(
    kind: Images, inputs: np.ndarray, samples: np.ndarray, folder: Path
) -> None:
    _check_new(folder)
    with atomic_path(folder) as temporary:
        for index, images in enumerate(zip(inputs, samples, strict=True)):
            for place, image in zip(("before", "after"), images, strict=True):
                write_image(kind, image, temporary / place / f"{index:05d}.png")


def _check_new(folder: Path) -> None:
    if folder.exists():
        raise FileExistsError(f"{folder} exists; choose another --out or remove it.")


def write_image(kind: Images, image: np.ndarray, path: Path) -> None:
    """An image file, or a TIFF file of a page for each channel where PNG has no such channels.

    Args:
        kind: What the image is.
        image: float (height, width, channels) in [0, 1].
        path: The file, whose suffix tells the format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels, channels = to_uint8(image), image.shape[-1]
    if channels in (1, 3) or (kind.has_opacity and channels == 4):
        kgan.pictures.as_picture(pixels).save(path)
        return
    first, *others = [Image.fromarray(page) for page in np.moveaxis(pixels, -1, 0)]
    first.save(path.with_suffix(".tif"), save_all=True, append_images=others)
