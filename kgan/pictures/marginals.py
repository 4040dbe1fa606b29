"""Each column of a table by itself: generated values over real ones."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from kgan.pictures.figure import as_image, new_figure
from kgan.rows import Rows

_ACROSS = 6
_MOST_COLUMNS = 48
_BINS = 24
# As many values are bars of their own; of more categories the most frequent ones are drawn.
_MOST_BARS = 12
_LONGEST_NAME = 24
# Seconds in a year.
_YEAR = 365.2425 * 86_400
_REAL, _GENERATED = "0.75", "tab:red"


def marginals(rows: Rows, real: Rows | None = None) -> Image.Image:
    """Histograms of numbers and bars of categories, generated ones over real ones in grey.

    Args:
        rows: Generated rows.
        real: Real rows, in whose range generated numbers are shown; `None` for generated ones
            alone.
    """
    names = list(rows.columns)[:_MOST_COLUMNS]
    down = -(-len(names) // _ACROSS)
    across = min(_ACROSS, len(names))
    figure = new_figure(2.2 * across, 1.9 * down + 0.4)
    grid = np.atleast_1d(figure.subplots(down, across)).ravel()
    for axes, name in zip(grid, names, strict=False):
        theirs = None if real is None else real[name]
        _draw_column(axes, rows[name], theirs)
        axes.set_title(_short(name), fontsize=8)
        axes.tick_params(labelsize=6)
        axes.set_yticks([])
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    left_out = len(rows.columns) - len(names)
    more = f"the first {len(names)} of {len(rows.columns)} columns" if left_out else None
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8)
    if more:
        figure.suptitle(more, fontsize=8, x=0.01, ha="left")
    return as_image(figure)


def _draw_column(axes: Axes, ours: np.ndarray, theirs: np.ndarray | None) -> None:
    (ours, gone), (theirs, their_gone) = _there(ours), _there(theirs)
    if gone or their_gone:
        told = "" if theirs is None else f" ({their_gone:.0%} real)"
        axes.set_xlabel(f"missing: {gone:.0%}{told}", fontsize=6)
    reference = ours if theirs is None else theirs
    if not len(reference) or not len(ours):
        return
    values, counts = np.unique(reference, return_counts=True)
    if ours.dtype == object or len(values) <= _MOST_BARS:
        frequent = np.sort(np.argsort(-counts, kind="stable")[:_MOST_BARS])
        _draw_bars(axes, values[frequent], ours, theirs)
        return
    edges = np.histogram_bin_edges(reference.astype(np.float64), bins=_BINS)
    # What lies outside is counted at the ends, where it is seen.
    for one, label in ((theirs, "real"), (ours, "generated")):
        if one is None:
            continue
        inside = np.clip(one.astype(np.float64), edges[0], edges[-1])
        shares = np.histogram(inside, edges)[0] / len(one)
        if label == "real":
            axes.stairs(shares, edges, fill=True, color=_REAL, label=label)
        else:
            axes.stairs(shares, edges, color=_GENERATED, label=label)


def _there(values: np.ndarray | None) -> tuple[Any, float]:
    """The values that are there, dates as years, and the share of those that are missing."""
    if values is None or values.dtype == object:
        return values, 0.0
    gone = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    kept = values[~gone]
    if values.dtype.kind == "M":
        kept = 1970 + kept.astype("datetime64[s]").astype(np.int64) / _YEAR
    return kept, float(gone.mean()) if len(gone) else 0.0


def _draw_bars(axes: Axes, values: np.ndarray, ours: np.ndarray, theirs: np.ndarray | None) -> None:
    places = np.arange(len(values))
    for one, label in ((theirs, "real"), (ours, "generated")):
        if one is None:
            continue
        shares = [float(np.mean(one == value)) for value in values]
        if label == "real":
            axes.bar(places, shares, 0.9, color=_REAL, label=label)
        else:
            axes.bar(places, shares, 0.4, color=_GENERATED, label=label)
    # Another figure's worth of ink, but a category without its name says nothing.
    names = [_short(str(value).strip() or "(missing)", 12) for value in values]
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 3 else 0)


def _short(text: str, longest: int = _LONGEST_NAME) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
