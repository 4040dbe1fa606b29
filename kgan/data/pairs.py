"""Loads pairs of images: two folders with equal file names, images side by side, or arrays."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgan.data.array_images import images_of
from kgan.data.arrays import load_arrays
from kgan.data.dataset import Dataset
from kgan.data.domains import Pairs
from kgan.data.folder import DEFAULT_SIZE
from kgan.data.image_set import ImageSet
from kgan.data.listing import listing, splits
from kgan.decoding.image import UNREADABLE, Facts, image_of
from kgan.decoding.image_file import Bytes, Levels, decode
from kgan.decoding.reading import Reading
from kgan.decoding.resize import as_pair

_NAMED = 10

Decoded = tuple[Bytes | Levels, Bytes | Levels]


def load_pairs(
    name: str | Path,
    other: str | Path | None = None,
    *,
    factor: int = 1,
    seed: int = 0,
    **reading: Any,
) -> tuple[Pairs, Pairs]:
    """Pairs to train on, and pairs that are held out.

    `name` alone is a folder with the folders `a` and `b`, whose files have equal names but for the
    suffix; a folder of images that hold a pair each, A in their left half and B in the right; or
    an .npz file with the arrays `a` and `b`. With `other` they are two folders, or two .npy or
    .npz files, of A and of B.

    Folders called train and test (or val) around all this are splits, and those are held out;
    otherwise a random tenth of the pairs.

    Args:
        name: The pairs, or the images of A.
        other: The images of B.
        factor: How many times as large images of B are read as those of A.
        seed: Seed of the random choice of that tenth, an int.
        **reading: Fields of `kgan.data.Reading`, for both sides; the size is A's, in folders 64 by
            default.

    Raises:
        FileNotFoundError: If there are no such files.
        ValueError: For files without a partner, which it names; or what no pairs can be.
    """
    wanted = Reading(**reading)
    paths = [Path(one).expanduser() for one in (name, other) if one is not None]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"no such folder or file of pairs: {path}.")
    folders = [path.is_dir() for path in paths]
    if not all(folders):
        if any(folders):
            raise ValueError(
                f"pairs must be two folders or two files, got {paths[0]} and {paths[-1]}."
            )
        return _apart(_of_files(paths, factor, wanted), seed)
    by_split = _by_split(paths)
    if not by_split:
        return _apart(_of_folders(paths, factor, wanted), seed)
    held_out = next((one for one in ("test", "val") if one in by_split), None)
    if "train" not in by_split:
        raise ValueError(
            f"{paths[0]} holds the splits {', '.join(by_split)} and none called train."
        )
    train = _of_folders(by_split["train"], factor, wanted)
    if held_out is None:
        return _apart(train, seed)
    if wanted.value_range == "auto":
        span = getattr(train.a.kind, "value_range", None)
        wanted = dataclasses.replace(wanted, value_range=span)
    return train, _of_folders(by_split[held_out], factor, wanted)


def _apart(pairs: Pairs, seed: int) -> tuple[Pairs, Pairs]:
    """A tenth is held out, at least two of them."""
    rows = np.random.default_rng(seed).permutation(len(pairs))
    tenth = max(2, len(pairs) // 10)
    if len(pairs) < tenth + 2:
        raise ValueError(
            f"pairs must be at least 4, of which two are held out, got {len(pairs)} in "
            f"{pairs.a.name}."
        )
    return pairs.take(np.sort(rows[tenth:])), pairs.take(np.sort(rows[:tenth]))


def _by_split(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """The folders of each split, where all of them have splits; else nothing."""
    found = [splits(path, listing(path).names) for path in paths]
    shared = [split for split in found[0] if all(split in one for one in found)]
    return {
        split: [path / one[split] for path, one in zip(paths, found, strict=True)]
        for split in shared
    }


def _of_folders(paths: Sequence[Path], factor: int, reading: Reading) -> Pairs:
    """The pairs of two folders, or of one with a and b inside or with images side by side."""
    reading = dataclasses.replace(reading, image_size=reading.image_size or DEFAULT_SIZE)
    if len(paths) == 1:
        inside = {path.name.lower(): path for path in paths[0].iterdir() if path.is_dir()}
        if {"a", "b"} <= set(inside):
            paths = [inside["a"], inside["b"]]
        elif {"a", "b"} & set(inside):
            [there] = {"a", "b"} & set(inside)
            missing = "b" if there == "a" else "a"
            raise ValueError(f"{paths[0]} has a folder {there} and none called {missing}.")
        else:
            return _side_by_side(paths[0], factor, reading)
    partners = _partners(*paths)
    names = [str(path) for path in paths]
    files = [(str(one), _decoded([one, other])) for one, other in partners]
    return _read(names, files, factor, reading)


def _side_by_side(folder: Path, factor: int, reading: Reading) -> Pairs:
    if factor != 1:
        raise ValueError(
            f"factor must be 1 for images side by side, which have one size, got {factor}."
        )
    files = [folder / name for name in listing(folder).names]
    if not files:
        raise FileNotFoundError(
            f"no pairs in {folder}: it must hold the folders a and b with equal file names, or "
            "images that hold a pair side by side."
        )
    halves = [(str(path), _halves(path)) for path in files]
    return _read([f"{folder} ({side})" for side in ("left", "right")], halves, factor, reading)


def _partners(a: Path, b: Path) -> list[tuple[Path, Path]]:
    """Files of equal names, but for the suffix."""
    sides = [_by_stem(folder) for folder in (a, b)]
    alone = [
        str(sides[own][stem])
        for own in (0, 1)
        for stem in sorted(set(sides[own]) - set(sides[1 - own]))
    ]
    if not all(sides) or not set(sides[0]) & set(sides[1]):
        counts = f"{len(sides[0])} images in {a} and {len(sides[1])} in {b}"
        raise ValueError(
            f"pairs must be files of equal names in both folders, and none are among {counts}."
        )
    if alone:
        more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
        raise ValueError(
            f"pairs must be files of equal names in both folders; without a partner: "
            f"{', '.join(alone[:_NAMED])}{more}. Remove them, or add their partners."
        )
    return [(path, sides[1][stem]) for stem, path in sides[0].items()]


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name in listing(folder).names:
        path = folder / name
        stem = str(Path(name).with_suffix(""))
        if stem in found:
            raise ValueError(
                f"{found[stem]} and {path} have one name, so a partner of both is not known: "
                "rename one."
            )
        found[stem] = path
    return found


def _decoded(paths: Sequence[Path]) -> Decoded | str:
    """Both of a pair, or why one of them cannot be read."""
    found = []
    for path in paths:
        try:
            found.append(decode(path))
        except UNREADABLE as error:
            return f"{path} ({error})"
    return found[0], found[1]


def _halves(path: Path) -> Decoded | str:
    try:
        whole = decode(path)
    except UNREADABLE as error:
        return f"{path} ({error})"
    width = whole.image.width if isinstance(whole, Bytes) else whole.values.shape[1]
    if width % 2:
        raise ValueError(
            f"images that hold a pair side by side must have an even width, got {width} in {path}. "
            "Pairs of other forms lie in the folders a and b."
        )
    return _part(whole, 0, width // 2), _part(whole, width // 2, width)


def _part(decoded: Bytes | Levels, first: int, last: int) -> Bytes | Levels:
    if isinstance(decoded, Bytes):
        image = decoded.image.crop((first, 0, last, decoded.image.height))
        return dataclasses.replace(decoded, image=image)
    opacity = None if decoded.opacity is None else decoded.opacity[:, first:last]
    return dataclasses.replace(decoded, values=decoded.values[:, first:last], opacity=opacity)


def _read(
    names: Sequence[str],
    files: Sequence[tuple[str, Decoded | str]],
    factor: int,
    reading: Reading,
) -> Pairs:
    """Two sets of images; a pair of which one cannot be read is left out, and told."""
    assert reading.image_size is not None
    height, width = as_pair(reading.image_size)
    larger = dataclasses.replace(reading, image_size=(factor * height, factor * width))
    readings = (reading, larger)
    images: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    facts: tuple[dict[str, Facts], dict[str, Facts]] = ({}, {})
    unreadable = []
    for name, found in files:
        if isinstance(found, str):
            unreadable.append(found)
            continue
        for side, decoded in enumerate(found):
            image, facts[side][name] = image_of(decoded, readings[side])
            images[side].append(image)
    if unreadable:
        warnings.warn(
            f"left out {len(unreadable)} of {len(files)} pairs, of which one cannot be read: "
            + "; ".join(unreadable),
            stacklevel=4,
        )
    if len(unreadable) == len(files):
        raise FileNotFoundError(f"none of the {len(files)} pairs in {names[0]} can be read.")
    a, b = (
        Dataset(
            name,
            **one.stacked(images[side]),
            unreadable=tuple(unreadable),
            notes=tuple(one.notes()),
        )
        for side, (name, one) in enumerate(
            (name, ImageSet(name, readings[side], facts[side])) for side, name in enumerate(names)
        )
    )
    return Pairs(a, b)


def _of_files(paths: Sequence[Path], factor: int, reading: Reading) -> Pairs:
    """The pairs of two array files, or of one with the arrays a and b."""
    if len(paths) == 1:
        arrays = _both_arrays(paths[0])
        names = [f"{paths[0]} ({side})" for side in "ab"]
    sets = []
    for index, scale in enumerate((1, factor)):
        one = reading
        if reading.image_size is not None:
            height, width = as_pair(reading.image_size)
            one = dataclasses.replace(reading, image_size=(scale * height, scale * width))
        if len(paths) == 2:
            sets.append(load_arrays(paths[index], **dataclasses.asdict(one)))
        else:
            images = images_of(names[index], arrays[index], one)
            sets.append(Dataset(names[index], **images._asdict()))
    return Pairs(*sets)


def _both_arrays(path: Path) -> list[np.ndarray]:
    if path.suffix.lower() != ".npz":
        raise ValueError(
            f"{path} must be an .npz file with the arrays a and b, or a folder; or name two files, "
            "of A and of B."
        )
    with np.load(path, allow_pickle=False) as content:
        if not {"a", "b"} <= set(content.files):
            raise ValueError(
                f"{path} must hold the arrays a and b, it holds {', '.join(content.files)}."
            )
        arrays = [content[name] for name in "ab"]
    for name, array in zip("ab", arrays, strict=True):
        if array.ndim not in (3, 4) or array.dtype.kind not in "bfiu":
            raise ValueError(
                f"the array {name} of {path} must be images (n, height, width, channels), got "
                f"{array.dtype} of shape {array.shape}."
            )
    return [array if array.ndim == 4 else array[..., None] for array in arrays]
