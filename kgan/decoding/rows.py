"""Decodes some files into the rows of an array in a file; the work of one process at a time."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kgan.decoding.array_file import ArrayFile
from kgan.decoding.image import UNREADABLE, Facts, read_image
from kgan.decoding.reading import Reading


class Form(NamedTuple):
    """How the images of a set are kept while they are decoded.

    Attributes:
        dtype: "uint8" for pictures as they will be; "float32" for the files' own values.
        channels: How many each has.
    """

    dtype: str
    channels: int

    def takes(self, other: "Form") -> bool:
        """Whether an image of the other form can be kept in this one, and nothing is lost."""
        channels = other.channels == self.channels or (other.channels, self.channels) == (1, 3)
        return channels and other.dtype in ("uint8", self.dtype)

    def with_(self, other: "Form") -> "Form":
        """The form that takes images of both."""
        dtype = "float32" if "float32" in (self.dtype, other.dtype) else "uint8"
        return Form(dtype, max(self.channels, other.channels))


@dataclasses.dataclass(frozen=True)
class Decoded:
    """What became of some files.

    Attributes:
        start: Row of the first.
        facts: For each file its facts, or why it cannot be read.
        form: Of all its images. Where the array could not take it, no row was written.
        is_written: Whether the rows were written.
    """

    start: int
    facts: list[Facts | str]
    form: Form | None
    is_written: bool


def decode_rows(
    target: str, form: Form, start: int, paths: Sequence[str], reading: Reading
) -> Decoded:
    """Decodes files into the rows of an array from `start` on.

    Args:
        target: The array's file.
        form: Of the array.
        start: Row of the first file.
        paths: The files.
        reading: How images are read.
    """
    images, facts = read_images(paths, reading)
    forms = [Form(str(image.dtype), image.shape[-1]) for image in images if image is not None]
    if not all(form.takes(one) for one in forms):
        needed = forms[0]
        for one in forms[1:]:
            needed = needed.with_(one)
        return Decoded(start, facts, needed, False)
    array = ArrayFile(target, write=True)
    rows = np.zeros((len(paths), *array.shape[1:]), array.dtype)
    for row, image in zip(rows, images, strict=True):
        if image is not None:
            row[:] = image
    array.write(start, rows)
    array.close()
    return Decoded(start, facts, form, True)


def read_images(
    paths: Sequence[str], reading: Reading
) -> tuple[list[np.ndarray | None], list[Facts | str]]:
    """Images as `read_image` gives them, with their facts; `None` and the reason where not."""
    images: list[np.ndarray | None] = []
    facts: list[Facts | str] = []
    for path in paths:
        try:
            image, fact = read_image(path, reading)
        except UNREADABLE as error:
            images.append(None)
            facts.append(str(error))
        else:
            images.append(image)
            facts.append(fact)
    return images, facts
