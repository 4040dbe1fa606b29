"""Decodes one image file: its values, and what the file itself says of their range.

Pillow's modes and what becomes of them:

- 1, L: grey (whole numbers of which the file does not say the range, where a TIFF says that they
  are signed). La, LA: grey with opacity. P, RGB, RGBX, CMYK, YCbCr, LAB, HSV: colour, as Pillow
  converts it. PA, RGBa, RGBA: colour with opacity. All of these have 8 bits, 0 to 255.
- I;16 in every byte order: grey, 0 to 65,535 (0 to 4,095 where a TIFF says 12 bits; white and black
  are exchanged where it says that white is 0). 16-bit colour of a PNG file and of an uncompressed
  TIFF file keeps its 16 bits too.
- I: grey. Of a PGM file 0 to 65,535, to which Pillow scales the file's own largest value; otherwise
  whole numbers of which the file does not say the range.
- F: grey floats; only the whole set shows whether they lie in [0, 1].

The pages of a TIFF file are its channels, where it has several of one size and one channel each.
Of an animation the first picture is read.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from kgan.decoding.resize import ImageSize, reduction

BYTE = (0.0, 255.0)
SIXTEEN_BITS = (0.0, 65535.0)

_GREY_MODES = ("1", "L", "LA", "La")
_OPACITY_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_TWELVE_BITS = (0.0, 4095.0)
_REDUCED_OR_MASK = 1 | 4
# EXIF's orientations, as numpy does them to (height, width, channels).
_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
_LYING = (5, 6, 7, 8)
_ORIENTATION, _SUBFILE, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 274, 254, 258, 262, 339


@dataclasses.dataclass(frozen=True)
class Bytes:
    """A picture of 8 bits a channel.

    Attributes:
        image: Of the mode L or RGB, or RGBA where `has_opacity`.
        grey: Whether the file is grey.
        has_opacity: Whether the file has transparency.
        squeezed: Whether the file has more bits, which were dropped.
    """

    image: Image.Image
    grey: bool
    has_opacity: bool
    squeezed: bool = False


@dataclasses.dataclass(frozen=True)
class Levels:
    """An image whose values are numbers of more than 8 bits, or more channels than a picture has.

    Attributes:
        values: (height, width, channels), opacity left out.
        opacity: (height, width, 1) in [0, 1], or `None`.
        full: The values that stand for 0 and 1, as the file says; `None` where it does not.
        has_spare_bits: Whether the values may use fewer bits than the file's type has, as scans of
            12 bits in 16 do.
    """

    values: np.ndarray
    opacity: np.ndarray | None = None
    full: tuple[float, float] | None = None
    has_spare_bits: bool = False


def decode(path: Path, image_size: ImageSize | None = None, how: str = "crop") -> Bytes | Levels:
    """Reads an image file.

    Args:
        path: The file.
        image_size: What it will be resized to, if that is known: a JPEG file is then decoded at
            half, a quarter or an eighth of its size where that is still twice as large.
        how: How it will be resized, one of `RESIZES`.

    Raises:
        OSError, SyntaxError, ValueError, Image.DecompressionBombError: Where it cannot be read.
    """
    try:
        return _decode(path, image_size, how)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise
    except Exception as error:
        # What a reader of Pillow's stumbles on in a damaged file: a TypeError, a RuntimeError, ...
        raise ValueError(f"is damaged: {type(error).__name__}: {error}") from error


def _decode(path: Path, image_size: ImageSize | None, how: str) -> Bytes | Levels:
    with Image.open(path) as file:
        if image_size is not None and isinstance(file, JpegImageFile):
            _reduce(file, image_size, how)
        pages = _pages(file)
        if len(pages) == 1:
            if pages[0]:
                file.seek(pages[0])
            return _page(file, path)
        found = []
        for number in pages:
            file.seek(number)
            # As an array, before the file shows its next page.
            found.append(_as_levels(_page(file, path)))
        return _as_channels(found)


def _reduce(file: JpegImageFile, image_size: ImageSize, how: str) -> None:
    width, height = file.size
    lies = file.getexif().get(_ORIENTATION, 1) in _LYING
    size = (width, height) if lies else (height, width)
    factor = reduction(size, image_size, how)
    if factor > 1:
        file.draft(None, (width // factor, height // factor))


def _pages(file: Image.Image) -> list[int]:
    """Numbers of a file's pages; of all formats but TIFF the first one alone."""
    if file.format != "TIFF":
        return [0]
    numbers = []
    for number in range(getattr(file, "n_frames", 1)):
        file.seek(number)
        # Smaller versions of a page, and masks, are no further pages.
        if not _tag(file, _SUBFILE, 0) & _REDUCED_OR_MASK:
            numbers.append(number)
    file.seek(0)
    return numbers or [0]


def _as_channels(levels: list[Levels]) -> Levels:
    shapes = {one.values.shape for one in levels}
    if (
        len(shapes) > 1
        or next(iter(shapes))[-1] != 1
        or any(one.opacity is not None for one in levels)
    ):
        raise ValueError(
            f"its {len(levels)} pages are not one grey channel each, all of one size: save each "
            "page as a file"
        )
    if len({(one.full, one.has_spare_bits) for one in levels}) > 1:
        raise ValueError(f"its {len(levels)} pages differ in depth")
    first = levels[0]
    return dataclasses.replace(first, values=np.concatenate([one.values for one in levels], -1))


def _as_levels(page: Bytes | Levels) -> Levels:
    if isinstance(page, Levels):
        return page
    values = np.atleast_3d(np.asarray(page.image))
    return Levels(values, full=BYTE)


def _page(file: Image.Image, path: Path) -> Bytes | Levels:
    """The present page of an open file."""
    mode, rawmode = file.mode, _rawmode(file)
    deep_colour = ";16" in rawmode and len(file.getbands()) > 1
    if deep_colour and file.format == "PNG":
        return _turned(_png_of_16_bits(path, file.info.get("transparency")), file)
    if deep_colour and _is_plain_tiff(file):
        return _tiff_of_16_bits(file, path, rawmode)
    if mode.startswith("I;16"):
        return _turned(_sixteen_bits(file), file)
    if mode in ("I", "F"):
        return _turned(_wide(file), file)
    if mode == "L" and _is_signed(file):
        # Pillow shows -1 as 255.
        return Levels(np.asarray(file)[..., None].view(np.int8))
    squeezed = deep_colour or _largest_value(file) > BYTE[1]
    image: Image.Image = file
    if file.getexif().get(_ORIENTATION, 1) in _TURNS:
        image = ImageOps.exif_transpose(file)
    # What is loaded stays when the file is closed.
    image.load()
    grey, has_opacity = mode in _GREY_MODES, mode in _OPACITY_MODES
    has_opacity = has_opacity or "transparency" in image.info
    if mode == "La":
        image = image.convert("LA")
    wanted = "RGBA" if has_opacity else "L" if grey else "RGB"
    return Bytes(as_mode(image, wanted), grey, has_opacity, squeezed=squeezed)


def as_mode(image: Image.Image, mode: str) -> Image.Image:
    """The image in a mode; itself where it has that one, of which Pillow would make a copy."""
    return image if image.mode == mode else image.convert(mode)


def _sixteen_bits(file: Image.Image) -> Levels:
    bits = _tag(file, _BITS, 16) if file.format == "TIFF" else 16
    inverted = file.format == "TIFF" and _tag(file, _PHOTOMETRIC, 1) == 0
    transparent = file.info.get("transparency")
    values = np.asarray(file)[..., None]
    if file.format == "FITS":
        return Levels(values.astype(np.uint16).view(np.int16))
    if bits == 12:
        return Levels(values, full=_TWELVE_BITS)
    opacity = None
    if isinstance(transparent, int):
        opacity = (values != transparent).astype(np.float32)
    if inverted:
        values = 65535 - values.astype(np.int32)
    # Pillow shifts the fewer bits of a JPEG 2000 file up.
    return Levels(values, opacity, SIXTEEN_BITS, has_spare_bits=file.format != "JPEG2000")


def _wide(file: Image.Image) -> Levels:
    unsigned = file.format == "TIFF" and _tag(file, _SAMPLE_FORMAT, 1) == 1
    scaled = any(tile[0] != "raw" for tile in _tiles(file))
    values = np.asarray(file)[..., None]
    if file.mode == "F":
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise ValueError(f"holds {bad} values that are NaN or infinite")
        return Levels(values)
    if file.format in ("PPM", "PNG"):
        return Levels(values, full=SIXTEEN_BITS, has_spare_bits=not scaled)
    return Levels(values.view(np.uint32) if unsigned and values.dtype == np.int32 else values)


def _png_of_16_bits(path: Path, transparent: Any) -> Levels:
    """Pillow keeps 8 of the 16 bits of colour; TensorFlow keeps all.

    Args:
        path: The file.
        transparent: The colour that the file says is transparent, (red, green, blue); TensorFlow
            leaves it opaque.
    """
    # Few files are such, and a process that decodes others starts sooner without it.
    import tensorflow as tf

    try:
        values = tf.io.decode_png(path.read_bytes(), dtype=tf.uint16).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError("is no complete PNG file") from error
    levels = _with_opacity(values)
    if isinstance(transparent, tuple) and levels.opacity is None:
        seen = (values != np.array(transparent, np.uint16)).any(axis=-1, keepdims=True)
        levels = dataclasses.replace(levels, opacity=seen.astype(np.float32))
    return levels


def _is_plain_tiff(file: Image.Image) -> bool:
    """Whether the pixels lie in a TIFF file as they are, in whole rows."""
    return file.format == "TIFF" and all(
        tile[0] == "raw" and tile[1][0] == 0 and tile[1][2] == file.width for tile in _tiles(file)
    )


def _tiff_of_16_bits(file: Image.Image, path: Path, rawmode: str) -> Levels:
    colours, _, order = rawmode.partition(";16")
    channels, height, width = len(colours), file.height, file.width
    dtype = np.dtype({"L": "<u2", "B": ">u2"}[order])
    values = np.zeros((height, width, channels), np.uint16)
    content = path.read_bytes()
    for _codec, (_, top, _, bottom), offset, _args in _tiles(file):
        count = (bottom - top) * width * channels
        strip = np.frombuffer(content, dtype, count, offset)
        values[top:bottom] = strip.reshape(bottom - top, width, channels)
    turn = _TURNS.get(_tag(file, _ORIENTATION, 1))
    values = values if turn is None else turn(values)
    if colours == "RGBX":
        values = values[..., :3]
    if colours not in ("RGB", "RGBX", "RGBA"):
        raise ValueError(f"holds 16-bit {colours}, which is not read: save it as RGB")
    return _with_opacity(values)


def _with_opacity(values: np.ndarray) -> Levels:
    """uint16 values of which the second or fourth channel is opacity."""
    opacity = None
    if values.shape[-1] in (2, 4):
        opacity = values[..., -1:].astype(np.float32) / np.float32(65535)
        values = values[..., :-1]
    return Levels(values, opacity, SIXTEEN_BITS, has_spare_bits=True)


def _turned(levels: Levels, file: Image.Image) -> Levels:
    """Upright, as the file's EXIF tells; Pillow turns TIFF files by itself."""
    turn = None if file.format == "TIFF" else _TURNS.get(file.getexif().get(_ORIENTATION, 1))
    if turn is None:
        return levels
    opacity = None if levels.opacity is None else turn(levels.opacity)
    return dataclasses.replace(levels, values=turn(levels.values), opacity=opacity)


def _is_signed(file: Image.Image) -> bool:
    return file.format == "TIFF" and _tag(file, _SAMPLE_FORMAT, 1) == 2


def _largest_value(file: Image.Image) -> int:
    """The value that stands for 1 in a PPM file, which Pillow scales to 255; 0 for others."""
    tiles = _tiles(file) if file.format == "PPM" else []
    args = tiles[0][3] if tiles else None
    return args[1] if isinstance(args, tuple) and len(args) == 2 else 0


def _rawmode(file: Image.Image) -> str:
    """How the pixels lie in the file, in Pillow's words; empty where it does not say."""
    tiles = _tiles(file)
    args = tiles[0][3] if tiles else None
    found = args[0] if isinstance(args, tuple) and args else args
    return found if isinstance(found, str) else ""


def _tiles(file: Image.Image) -> list[Any]:
    """Where the pixels lie in the file: (codec, box, offset, arguments) of each part."""
    return list(getattr(file, "tile", None) or ())


def _tag(file: Image.Image, number: int, default: int) -> int:
    tags: Any = getattr(file, "tag_v2", {})
    value = tags.get(number, default)
    return int(value[0] if isinstance(value, tuple) else value)
