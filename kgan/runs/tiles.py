"""Translates a large image in tiles that overlap, so that no seam is seen."""

import itertools
import math
from collections.abc import Callable

import numpy as np

# Networks halve images up to five times, mostly: tiles that begin at multiples of this are halved
# at the same places.
_UNIT = 32
_TINY = 1e-6

TranslateTile = Callable[[np.ndarray, np.ndarray | None], tuple[np.ndarray, np.ndarray]]


def in_tiles(
    translate: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    *,
    tile: int = 1024,
    overlap: int = 64,
    by_statistics: TranslateTile | None = None,
) -> np.ndarray:
    """An image translated in tiles, which are blended where they overlap.

    The weight of a tile falls to nothing along a line towards its edges; of the outer quarter of
    the overlap, which its border has changed, nothing is taken but at the image's own border.

    A network that normalises each image by its own statistics would make each tile of a brightness
    of its own. Where it can be told statistics, the parts of the image first tell those of the
    whole image, one norm after the other, as what a norm sees depends on those before it: so the
    image is passed once more for each norm. Then all tiles are translated by them, as the whole
    would be.

    Args:
        translate: Function of an image (height, width, channels) to an image of that size or of a
            whole multiple of it.
        image: float32 (height, width, channels).
        tile: Side of a tile; an image that is no larger, or 0, is translated at once.
        overlap: Pixels by which tiles overlap at least, at most half of a tile.
        by_statistics: Function of a tile and statistics, or `None` for its own, to the translated
            tile and the statistics that it has itself.

    Returns:
        float32 image.
    """
    height, width = image.shape[:2]
    if not tile or max(height, width) <= tile:
        return translate(image)
    spans = [_spans(side, tile, overlap) for side in (height, width)]
    places = [(rows, columns) for rows in spans[0] for columns in spans[1]]
    if by_statistics is not None:
        translate = _alike(by_statistics, image, tile)
    total: np.ndarray = np.zeros(())
    weights: np.ndarray = np.zeros(())
    factor = 1
    for rows, columns in places:
        made = translate(image[rows, columns])
        if not total.shape:
            factor = made.shape[0] // (rows.stop - rows.start)
            total = np.zeros((height * factor, width * factor, made.shape[-1]))
            weights = np.zeros((*total.shape[:2], 1))
        down, across = (_ramp(side, overlap * factor) for side in made.shape[:2])
        window = np.outer(down, across)[..., np.newaxis]
        place = tuple(slice(one.start * factor, one.stop * factor) for one in (rows, columns))
        total[place] += window * made
        weights[place] += window
    return (total / weights).astype(np.float32)


def _alike(
    translate: TranslateTile, image: np.ndarray, tile: int
) -> Callable[[np.ndarray], np.ndarray]:
    """The translation of a tile by the statistics of the whole image."""
    rows, columns = (_parts(side, tile) for side in image.shape[:2])
    parts = [image[one, other] for one in rows for other in columns]
    areas = [part.shape[0] * part.shape[1] for part in parts]
    statistics: np.ndarray | None = None
    for norm in itertools.count():
        told = np.average(
            [translate(part, statistics)[1] for part in parts], axis=0, weights=areas
        ).astype(np.float32)
        if statistics is None:
            statistics = np.full_like(told, np.nan)
        statistics[norm] = told[norm]
        if norm == len(told) - 1:
            break
    return lambda tile: translate(tile, statistics)[0]


def _parts(side: int, tile: int) -> list[slice]:
    """Parts of a side that do not overlap, about equally long and about a tile at most."""
    count = math.ceil(side / tile)
    unit = _UNIT if tile >= 2 * _UNIT else 1
    cuts = [*(number * side // count // unit * unit for number in range(count)), side]
    return [slice(one, other) for one, other in itertools.pairwise(cuts)]


def _spans(side: int, tile: int, overlap: int) -> list[slice]:
    """The tiles of a side, which ends with the last of them."""
    if side <= tile:
        return [slice(0, side)]
    unit = _UNIT if tile - overlap >= 2 * _UNIT else 1
    # The last tile begins at a multiple of the unit, and so is shorter by less than that.
    last = -(-(side - tile) // unit) * unit
    count = math.ceil(last / (tile - overlap - (unit - 1)))
    starts = [number * last // count // unit * unit for number in range(count + 1)]
    return [slice(start, min(start + tile, side)) for start in starts]


def _ramp(length: int, overlap: int) -> np.ndarray:
    """The weight of each pixel of a tile along a side, in (0, 1]."""
    edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    margin = overlap / 4
    share = (edge - margin) / max(overlap - 2 * margin, 1)
    return np.clip(share, _TINY, 1.0)
