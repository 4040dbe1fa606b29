"""`kgan translate SOURCE INPUTS`: images of one domain as those of another, or restored."""

import dataclasses
import io
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np

import kgan.pictures
from kgan.cli.command_line import Request
from kgan.cli.sample import write_image
from kgan.data import Reading
from kgan.data.image_set import ImageSet
from kgan.data.listing import listing, suffixes
from kgan.decoding.image import UNREADABLE, image_of
from kgan.decoding.image_file import Bytes, decode
from kgan.files import atomic_path
from kgan.kinds import Images
from kgan.pixels import to_uint8
from kgan.progress import Progress
from kgan.runs.made_of_samples import Making
from kgan.runs.source import open_making
from kgan.runs.tiles import in_tiles
from kgan.settings import TranslateSettings

_STANDARD = Path("-")


def main(request: Request) -> int:
    """The body of `kgan translate`."""
    settings = cast(TranslateSettings, request.settings)
    _check_places(settings)
    making, reading = open_making(
        settings.source, checkpoint=settings.checkpoint, direction=settings.direction
    )
    if not isinstance(making.kind, Images):
        raise ValueError(
            f"{settings.source} translates {making.kind.plural}, and kgan translate takes images."
        )
    translator = _Translator(settings, making, _reading(settings, reading))
    if settings.inputs == _STANDARD:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "standard input"
            path.write_bytes(sys.stdin.buffer.read())
            _write(translator.of(path, "the standard input"), making.kind, _out(settings))
    elif settings.inputs.is_dir():
        translator.folder(settings.inputs, _out(settings))
    else:
        _write(translator.of(settings.inputs), making.kind, _out(settings))
    translator.tell()
    return 0


class _Translator:
    """What a model makes of image files."""

    def __init__(self, settings: TranslateSettings, making: Making, reading: Reading):
        self.settings, self.making, self.reading = settings, making, reading
        self.whole = 0

    def of(self, path: Path, name: str | None = None) -> np.ndarray:
        """The translation of a file, float32 (height, width, channels)."""
        told = str(path) if name is None else name
        try:
            image = self._read(path, told)
        except UNREADABLE as error:
            raise ValueError(f"{told} cannot be read as an image: {error}") from error
        self._check(image, told)
        return self._translated(image)

    def _translated(self, image: np.ndarray) -> np.ndarray:
        making, settings = self.making, self.settings
        made = in_tiles(
            making.one,
            image,
            tile=settings.tile,
            overlap=settings.overlap,
            by_statistics=None if making.tile is None else making.one_tile,
        )
        colours, opacity = image[..., :-1], image[..., -1]
        if made.shape == colours.shape and opacity.min() == 1.0:
            self.whole += bool(np.abs(made - colours).max() < 1e-3)
        return made

    def tell(self) -> None:
        """Says how many images came out as they went in, for want of holes."""
        if self.whole:
            images = "1 image has" if self.whole == 1 else f"{self.whole} images have"
            told = f"{images} no holes (transparent pixels) to fill, and came out unchanged"
            print(told, file=sys.stderr)

    def folder(self, folder: Path, out: Path) -> None:
        """Translates the images of a folder, under their names, as PNG files."""
        found = listing(folder)
        if not found.names:
            rest = f"; {found.notes[0]}" if found.notes else ""
            raise FileNotFoundError(f"no image in {folder}{rest}.")
        names = [Path(name).with_suffix(".png") for name in found.names]
        paths = [folder / name for name in found.names]
        if twice := sorted({str(one) for one in names if names.count(one) > 1}):
            raise ValueError(
                f"images of {folder} must have names that differ without their suffixes, and "
                f"several are called {twice[0]}."
            )
        kind = self.making.kind
        assert isinstance(kind, Images)
        unreadable = []
        with atomic_path(out) as temporary, Progress(lines=False, stderr=True) as progress:
            for number, (path, name) in enumerate(zip(paths, names, strict=True)):
                progress.update(what=f"{number} of {len(names)} images")
                try:
                    image = self._read(path, str(path))
                except UNREADABLE as error:
                    unreadable.append(f"{path} ({error})")
                    continue
                self._check(image, str(path))
                write_image(kind, self._translated(image), temporary / name)
            if len(unreadable) == len(names):
                raise ValueError(f"none of the {len(names)} images in {folder} can be read.")
        for line in unreadable:
            print(f"skipped, as it cannot be read: {line}", file=sys.stderr)
        print(f"{len(names) - len(unreadable)} images in {out}")

    def _read(self, path: Path, name: str) -> np.ndarray:
        """An image at its own size, or as asked for, with the channels that the model takes."""
        decoded = decode(path)
        size = self.reading.image_size
        if size is None:
            own = decoded.image.size[::-1] if isinstance(decoded, Bytes) else decoded.values.shape
            size = (own[0], own[1])
        reading = dataclasses.replace(self.reading, image_size=size)
        # Two channels are grey and opacity, which files hold as RGBA does.
        opaque_grey = self.making.shape[-1] == 2 and isinstance(decoded, Bytes)
        if opaque_grey:
            reading = dataclasses.replace(reading, channels="rgba")
        raw, facts = image_of(decoded, reading)
        image = ImageSet(name, reading, {name: facts}).scaled(raw, facts.depth)
        if opaque_grey:
            luma = image[..., :3] @ np.array([[0.299], [0.587], [0.114]], np.float32)
            return np.concatenate([np.clip(luma, 0.0, 1.0), image[..., 3:]], axis=-1)
        # Grey is a colour, so nothing is lost.
        grey = image.shape[-1] == 1 and self.making.shape[-1] == 3
        return np.repeat(image, 3, axis=-1) if grey else image

    def _check(self, image: np.ndarray, name: str) -> None:
        """Raises `ValueError` for an image that the model does not take."""
        *sides, channels = image.shape
        height, width, wanted = self.making.shape
        if channels != wanted:
            forms = {1: "grey", 3: "rgb", 4: "rgba"}
            remedy = f" Convert with --channels {forms[wanted]}." if wanted in forms else ""
            raise ValueError(
                f"images must have {wanted} channel{'s' * (wanted > 1)} for this model, got "
                f"{channels} in {name}.{remedy}"
            )
        least = self.making.least_side
        if least is None and (height, width) != tuple(sides):
            raise ValueError(
                f"images must be of {height}x{width} for this model, got {sides[0]}x{sides[1]} in "
                f"{name}. Resize them with --image-size {height} {width}."
            )
        if least is not None and min(sides) < least:
            raise ValueError(
                f"images must have sides of at least {least} for this model, got "
                f"{sides[0]}x{sides[1]} in {name}. Enlarge them with --image-size."
            )


def _reading(settings: TranslateSettings, own: dict[str, Any]) -> Reading:
    """How the model's images are read, but for what is asked for here."""
    default = TranslateSettings(source=Path(), inputs=Path()).reading
    asked = {key: value for key, value in settings.reading.items() if value != default[key]}
    return Reading(**{**own, "image_size": None, **asked})


def _check_places(settings: TranslateSettings) -> None:
    """Raises for inputs that are not there, and outputs that would be lost or replaced."""
    path, out = settings.inputs, _out(settings)
    if path != _STANDARD and not path.exists():
        raise FileNotFoundError(f"no such image or folder: {path}.")
    if path.is_dir():
        if out == _STANDARD:
            raise ValueError(
                "out must be a folder for a folder of images, got the standard output."
            )
        if out.exists():
            raise FileExistsError(f"{out} exists; choose another --out or remove it.")
    elif out != _STANDARD:
        if out.suffix.lower() not in suffixes():
            raise ValueError(
                f"out must be an image file for one image, such as out.png, got {out}."
            )
        if out.exists():
            raise FileExistsError(f"{out} exists; choose another --out or remove it.")


def _out(settings: TranslateSettings) -> Path:
    if settings.out is not None:
        return settings.out
    path = settings.inputs
    if path == _STANDARD:
        return _STANDARD
    return Path("translated") if path.is_dir() else Path(f"{path.stem}-translated.png")


def _write(image: np.ndarray, kind: Images, out: Path) -> None:
    if out == _STANDARD:
        file = io.BytesIO()
        kgan.pictures.as_picture(to_uint8(image)).save(file, "PNG")
        sys.stdout.buffer.write(file.getvalue())
        sys.stdout.buffer.flush()
        return
    with atomic_path(out) as temporary:
        write_image(kind, image, temporary)
    print(f"1 image in {out}")
