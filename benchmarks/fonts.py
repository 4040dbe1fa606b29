"""What a folder of fonts draws, for the benchmarks that train on characters."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def alphabets(folder: Path, characters: str, *, size: int) -> Iterator[list[np.ndarray]]:
    """The characters of each font that has them all: white ink on black, uint8 images.

    Args:
        folder: .ttf and .otf files, in any subfolder.
        characters: What is drawn.
        size: Of the font, in pixels; images are four times as large, with the ink inside.
    """
    for path in sorted([*folder.rglob("*.ttf"), *folder.rglob("*.otf")]):
        try:
            font = ImageFont.truetype(str(path), size)
            missing = _drawn(font, "\U0010ffff")
            drawn = [_drawn(font, character) for character in characters]
        except OSError:
            # A file of bitmaps, or of a kind that the font library does not draw.
            continue
        if all(one.max() > 0 and not np.array_equal(one, missing) for one in drawn):
            yield drawn


def _drawn(font: ImageFont.FreeTypeFont, text: str) -> np.ndarray:
    side = 4 * int(font.size)
    image = Image.new("L", (side, side))
    ImageDraw.Draw(image).text((side // 4, side // 4), text, fill=255, font=font)
    return np.asarray(image)
