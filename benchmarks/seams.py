"""How far an image translated in tiles is from the same image translated at once.

    python benchmarks/seams.py runs/NAME photo.png --tile 512

Prints, of 256 levels: the mean and the largest difference, and the largest step of the difference
between neighbouring pixels, which is what an eye sees as a seam. Tiles that each have statistics of
their own stand beside those that share them.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from kgan.runs.source import open_making
from kgan.runs.tiles import in_tiles


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=64)
    parser.add_argument("--size", type=int, nargs=2, help="width and height to resize to")
    parser.add_argument("--out", type=Path, help="folder of the three pictures")
    options = parser.parse_args()
    making, _ = open_making(options.model)
    picture = Image.open(options.image).convert("RGB" if making.shape[-1] == 3 else "L")
    if options.size:
        picture = picture.resize(options.size, Image.Resampling.BICUBIC)
    image = np.asarray(picture, np.float32).reshape(*picture.size[::-1], -1) / 255
    made = {"whole": making.one(image)}
    for name, by_statistics in (("own", None), ("shared", making.one_tile)):
        made[name] = in_tiles(
            making.one,
            image,
            tile=options.tile,
            overlap=options.overlap,
            by_statistics=by_statistics,
        )
    for name in ("own", "shared"):
        difference = 255 * (made[name] - made["whole"])
        steps = [np.abs(np.diff(difference, axis=axis)).max() for axis in (0, 1)]
        print(
            f"{name} statistics: mean {np.abs(difference).mean():.2f}, largest "
            f"{np.abs(difference).max():.1f}, largest step {max(steps):.1f} of 256 levels"
        )
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, one in made.items():
            pixels = np.round(255 * np.clip(one, 0, 1)).astype(np.uint8)
            Image.fromarray(pixels.squeeze()).save(options.out / f"{name}.png")


if __name__ == "__main__":
    main()
