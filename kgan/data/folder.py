"""Loads a folder of image files; its subfolders, if it has any, are the classes."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kgan.data.dataset import Dataset
from kgan.data.resize import ImageSize, resize_and_crop

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
DEFAULT_SIZE = 64
# The first file is in every run folder, the second one in every exported model.
_OF_OUTPUTS = ("config.json", "saved_model.pb")
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "F")


def load_folder(folder: str | Path, *, image_size: ImageSize | None = None) -> Dataset:
    """Loads every image below `folder`, resized with antialiasing and cut to its centre.

    Files are loaded in the order of their names. Pictures in folders of runs and exports below the
    folder are ignored. If all files are grey the images are grey, otherwise all are colour.
    Transparent images are put on white, and EXIF rotation is applied. Files that cannot be read
    are skipped with a warning that lists them.

    Args:
        folder: The folder. If the images are in subfolders, each first-level subfolder is a class;
            images beside such subfolders are an error.
        image_size: Size of the images, a side or (height, width); `None` means 64.

    Raises:
        FileNotFoundError: If the folder does not exist or holds no image.
        ValueError: If some images are in class folders and others are not.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}.")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
        and not _is_output(folder, path)
    )
    if not files:
        raise FileNotFoundError(
            f"no image in {folder}: looked for {', '.join(SUFFIXES)} in it and its subfolders."
        )
    images, kept, unreadable = [], [], []
    for path in files:
        try:
            images.append(_open(path, image_size or DEFAULT_SIZE))
            kept.append(path)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            unreadable.append(f"{path.relative_to(folder)} ({error})")
    if unreadable:
        warnings.warn(
            f"skipped {len(unreadable)} unreadable of {len(files)} files in {folder}: "
            + "; ".join(unreadable),
            stacklevel=2,
        )
    if not images:
        raise FileNotFoundError(f"none of the {len(files)} images in {folder} can be read.")
    labels, class_names = _classes(folder, kept)
    colour = any(image.mode == "RGB" for image in images)
    arrays = [np.asarray(image.convert("RGB") if colour else image) for image in images]
    samples = np.stack(arrays)
    return Dataset(str(folder), samples if colour else samples[..., None], labels, class_names)


def _is_output(folder: Path, path: Path) -> bool:
    """Whether a picture below `folder` belongs to a run or an export."""
    above = path.parents[: len(path.relative_to(folder).parents) - 1]
    return any((parent / name).is_file() for parent in above for name in _OF_OUTPUTS)


def _open(path: Path, image_size: ImageSize) -> Image.Image:
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        if image.mode in ("I", "I;16", "F"):
            # PIL clips 16-bit grey to 8 bits; scale it instead.
            values = np.asarray(image, np.float32)
            top = 65535.0 if values.max() > 255 else 255.0
            image = Image.fromarray(np.round(values.clip(0, top) * (255 / top)).astype(np.uint8))
        grey = image.mode in _GREY_MODES
        if "A" in image.mode or "transparency" in image.info:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        image = image.convert("L" if grey else "RGB")
        return resize_and_crop(image, image_size)


def _classes(folder: Path, files: list[Path]) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    parts = [path.relative_to(folder).parts for path in files]
    loose = [path for path, names in zip(files, parts, strict=True) if len(names) == 1]
    if len(loose) == len(files):
        return None, None
    if loose:
        raise ValueError(
            f"{folder} holds {len(files) - len(loose)} images in class folders and {len(loose)} "
            f"beside them (such as {loose[0].name}): move those into a class folder, or away."
        )
    names = sorted({names[0] for names in parts})
    labels = np.array([names.index(part[0]) for part in parts], np.int32)
    return labels, tuple(names)
