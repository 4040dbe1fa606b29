"""Translates a large image in tiles that overlap, so that no seam is seen."""

import math
from collections.abc import Callable

import numpy as np

# Networks halve images up to five times, mostly: tiles that begin at multiples of this are halved
# at the same places.
_UNIT = 32
_TINY = 1e-6


def in_tiles(
    translate: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    *,
    tile: int = 512,
    overlap: int = 64,
) -> np.ndarray:
    """An image translated in tiles, which are blended where they overlap.

    The weight of a tile falls to nothing along a line towards its edges; of the outer quarter of
    the overlap, which its border has changed, nothing is taken but at the image's own border.

    Args:
        translate: Function of images (1, height, width, channels) to images (1, ...) of that size
            or of a whole multiple of it.
        image: float32 (height, width, channels).
        tile: Side of a tile; an image that is no larger, or 0, is translated at once.
        overlap: Pixels by which tiles overlap at least, at most half of a tile.

    Returns:
        float32 image.
    """
    height, width = image.shape[:2]
    if not tile or max(height, width) <= tile:
        return translate(image[np.newaxis])[0]
    plans = [_plan(side, tile, overlap) for side in (height, width)]
    ends = [starts[-1] + length for starts, length in plans]
    missing = [(0, end - side) for end, side in zip(ends, (height, width), strict=True)]
    padded = np.pad(image, [*missing, (0, 0)], mode="symmetric")
    total: np.ndarray = np.zeros(())
    weights: np.ndarray = np.zeros(())
    for top in plans[0][0]:
        for left in plans[1][0]:
            rows, columns = slice(top, top + plans[0][1]), slice(left, left + plans[1][1])
            made = translate(padded[np.newaxis, rows, columns])[0]
            factor = made.shape[0] // plans[0][1]
            if not total.shape:
                total = np.zeros((ends[0] * factor, ends[1] * factor, made.shape[-1]))
                weights = np.zeros((*total.shape[:2], 1))
            down, across = (_ramp(one[1] * factor, overlap * factor) for one in plans)
            window = np.outer(down, across)[..., np.newaxis]
            place = tuple(slice(one.start * factor, one.stop * factor) for one in (rows, columns))
            total[place] += window * made
            weights[place] += window
    factor = total.shape[0] // ends[0]
    found = (total / weights)[: height * factor, : width * factor]
    return found.astype(np.float32)


def _plan(side: int, tile: int, overlap: int) -> tuple[list[int], int]:
    """Where the tiles of a side begin, and how long they are."""
    if side <= tile:
        return [0], side
    step = tile - overlap
    step = step // _UNIT * _UNIT or step
    count = math.ceil((side - tile) / step) + 1
    return [number * step for number in range(count)], tile


def _ramp(length: int, overlap: int) -> np.ndarray:
    """The weight of each pixel of a tile along a side, in (0, 1]."""
    edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    margin = overlap / 4
    share = (edge - margin) / max(overlap - 2 * margin, 1)
    return np.clip(share, _TINY, 1.0)
