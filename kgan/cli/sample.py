"""`kgan sample SOURCE`: samples from a run, a .keras file or an exported model."""

from pathlib import Path
from typing import Any, cast

import numpy as np

import kgan.pictures
from kgan.cli.command_line import Request
from kgan.files import atomic_path
from kgan.kinds import Images, Kind
from kgan.pixels import to_uint8
from kgan.runs.source import Source, open_source
from kgan.settings import SampleSettings


def main(request: Request) -> int:
    """The body of `kgan sample`: generates and writes."""
    settings = cast(SampleSettings, request.settings)
    source = open_source(settings.source, checkpoint=settings.checkpoint)
    labels = chosen_labels(source, settings.labels, settings.n)
    write(source.kind, source.generate(settings.n, labels, settings.seed), labels, settings.out)
    print(f"{settings.n} samples in {settings.out}")
    return 0


def chosen_labels(source: Source, chosen: tuple[int, ...], n: int) -> np.ndarray | None:
    """The labels of `n` samples: those chosen in turn, or all classes in turn.

    Args:
        source: The generator.
        chosen: Class numbers; all of them where there is none.
        n: How many samples.
    """
    if source.num_classes is None:
        if chosen:
            raise ValueError("labels must be left out: the generator is unconditional.")
        return None
    chosen = chosen or tuple(range(source.num_classes))
    if not all(0 <= label < source.num_classes for label in chosen):
        raise ValueError(f"labels must be in [0, {source.num_classes - 1}], got {chosen}.")
    return np.resize(np.array(chosen, np.int32), n)


def write(kind: Kind, samples: np.ndarray, labels: np.ndarray | None, path: Path) -> None:
    """Writes samples in the form that the path's suffix asks for."""
    if path.suffix == ".npz":
        arrays: dict[str, Any] = {kind.plural: samples}
        arrays |= {} if labels is None else {"labels": labels}
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, **arrays)
    elif path.suffix == ".png":
        _draw(kind, samples, labels, path)
    elif isinstance(kind, Images):
        _write_folder(samples, labels, path)
    else:
        raise ValueError(f"out must end in .png or .npz for {kind.plural}, got {path}.")


def _draw(kind: Kind, samples: np.ndarray, labels: np.ndarray | None, path: Path) -> None:
    columns = None
    if labels is not None and len(set(labels.tolist())) > 1:
        # The classes come in turn: a column for each.
        columns = min(len(set(labels.tolist())), len(samples))
    kgan.pictures.save_image(kgan.pictures.samples(kind, samples, columns=columns), path)


def _write_folder(samples: np.ndarray, labels: np.ndarray | None, folder: Path) -> None:
    if folder.exists():
        raise FileExistsError(f"{folder} exists; choose another --out or remove it.")
    with atomic_path(folder) as temporary:
        for index, image in enumerate(to_uint8(samples)):
            place = temporary if labels is None else temporary / str(labels[index])
            place.mkdir(parents=True, exist_ok=True)
            kgan.pictures.as_picture(image).save(place / f"{index:05d}.png")
