"""Letters A to Z of every font in a folder, as a data set: the classes are letters.

    python benchmarks/letters.py FONTS --out letters.npz    # on Debian: /usr/share/fonts
    kgan train --data letters.npz

White on black, each as large as the image less a margin of 2 pixels. Fonts that draw the same
alphabet count once. A tenth of the fonts is held out: the split test.
"""

import argparse
from pathlib import Path

import numpy as np
from fonts import alphabets
from PIL import Image

from kgan.files import atomic_path

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARGIN = 2


def fitted(ink: np.ndarray, side: int) -> np.ndarray:
    """The ink, as large as fits into a square less its margin, in the middle of it."""
    image = Image.fromarray(ink)
    image = image.crop(image.getbbox())
    scale = (side - 2 * _MARGIN) / max(image.size)
    sides = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    square = Image.new("L", (side, side))
    corner = (side - sides[0]) // 2, (side - sides[1]) // 2
    square.paste(image.resize(sides, Image.Resampling.LANCZOS), corner)
    return np.asarray(square)


def main(options: argparse.Namespace) -> None:
    fonts = {}
    for drawn in alphabets(options.fonts, LETTERS, size=64):
        alphabet = np.stack([fitted(one, options.side) for one in drawn])
        fonts[alphabet.tobytes()] = alphabet
    if len(fonts) < 2:
        raise SystemExit(f"{options.fonts} must hold two fonts with A to Z at least: .ttf or .otf.")
    images = np.stack(list(fonts.values()))
    held = np.zeros(len(images), bool)
    held[np.random.default_rng(0).permutation(len(images))[: max(1, len(images) // 10)]] = True
    arrays = {}
    for split, chosen in (("train", ~held), ("test", held)):
        arrays[f"{split}_images"] = images[chosen].reshape(-1, options.side, options.side, 1)
        arrays[f"{split}_labels"] = np.tile(np.arange(len(LETTERS)), chosen.sum())
    with atomic_path(options.out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays, class_names=list(LETTERS))
    print(f"{options.out}: {(~held).sum()} fonts to train on, {held.sum()} held out")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fonts", type=Path, help="A folder of .ttf and .otf files.")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("letters.npz"))
    main(parser.parse_args())
