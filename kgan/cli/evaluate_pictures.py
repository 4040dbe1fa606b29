"""Pictures of an evaluation: nearest training neighbours, classes, points, curves."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kgan.callbacks import read_history
from kgan.callbacks.drawing import grid, save_image, scatter
from kgan.cli.evaluate_classes import ClassRow
from kgan.files import atomic_path
from kgan.metrics import neighbours
from kgan.metrics.evaluate import SampleSet

_ROWS = 10
_NEIGHBOURS = 6
# Real samples as floats at a time.
_CHUNK = 4000
_NO_SCORES = frozenset(("epoch", "step", "seconds", "samples_per_second", "penalty")) | {
    "d_loss",
    "g_loss",
    "d_real",
    "d_fake",
}


def draw(
    folder: Path, fake: SampleSet, real: SampleSet, classes: list[ClassRow], run: Path | None
) -> None:
    """Writes the pictures that the samples allow into the folder."""
    if fake.samples.ndim == 4:
        _draw_neighbours(fake, real, folder / "neighbours.png")
    else:
        save_image(scatter(real.samples[:2500], fake.samples[:2500]), folder / "points.png")
    if classes:
        _draw_classes(classes, folder / "classes.png")
    if run is not None:
        _draw_curves(run / "metrics.csv", folder / "scores.png")


def nearest(fake: SampleSet, real: SampleSet, k: int) -> np.ndarray:
    """Row numbers (n, k) of the real samples nearest to each fake one, nearest first."""
    if fake.extractor is not None:
        return neighbours.nearest(fake.features, real.features, k=min(k, len(real))).indices
    ours = fake.samples.reshape(len(fake), -1)
    indices, squared = np.zeros((len(fake), 0), int), np.zeros((len(fake), 0))
    for start in range(0, len(real), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(real)))
        theirs = real.take(rows).samples.reshape(len(rows), -1)
        found = neighbours.nearest(ours, theirs, k=min(k, len(rows)))
        indices = np.concatenate([indices, rows[found.indices]], axis=1)
        squared = np.concatenate([squared, found.squared], axis=1)
        order = np.argsort(squared, axis=1, kind="stable")[:, :k]
        indices, squared = (np.take_along_axis(one, order, axis=1) for one in (indices, squared))
    return indices


def _draw_neighbours(fake: SampleSet, real: SampleSet, path: Path) -> None:
    """A row for each sample: itself, a gap, and the real samples nearest to it."""
    shown = fake.take(_one_of_each(fake))
    rows = nearest(shown, real, _NEIGHBOURS)
    gap = np.ones((1, *fake.samples.shape[1:]), np.float32)
    cells = [
        np.concatenate([sample[None], gap, real.take(near).samples])
        for sample, near in zip(shown.samples, rows, strict=True)
    ]
    picture = np.asarray(grid(np.concatenate(cells), rows.shape[1] + 2))
    by = "pixels" if fake.extractor is None else f"features of {fake.extractor.label}"
    figure, axes = _figure(7, 7 * picture.shape[0] / picture.shape[1] + 0.5)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set_axis_off()
    axes.set_title(f"generated, and its nearest of {len(real):,} training images\nby {by}")
    _save(figure, path)


def _one_of_each(fake: SampleSet) -> np.ndarray:
    """The first sample of each class, or the first samples."""
    if fake.labels is None:
        return np.arange(min(_ROWS, len(fake)))
    return np.unique(fake.labels, return_index=True)[1][:_ROWS]


def _draw_classes(classes: list[ClassRow], path: Path) -> None:
    figure, axes = _figure(max(6, 0.5 * len(classes)), 4)
    places = np.arange(len(classes))
    axes.bar(places - 0.2, [row.real for row in classes], 0.4, color="0.7", label="real")
    axes.bar(places + 0.2, [row.generated for row in classes], 0.4, label="generated")
    axes.set_xticks(places, [row.name for row in classes])
    if any(len(row.name) > 3 for row in classes):
        axes.tick_params(axis="x", rotation=60)
    axes.set_ylabel("share")
    figure.legend(loc="outside upper center", ncols=2)
    _save(figure, path)


def _draw_curves(table: Path, path: Path) -> None:
    """A panel for each score in a run's table; nothing where there are none."""
    rows = read_history(table)
    names = [
        name for name in dict.fromkeys(n for row in rows for n in row) if name not in _NO_SCORES
    ]
    if not names:
        return
    figure = Figure(figsize=(7, 2.2 * len(names)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(len(names), squeeze=False)[:, 0], names, strict=True):
        points = [(row["step"], row[name]) for row in rows if name in row]
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 50 else None)
        axes.set_title(name, fontsize=9)
        axes.grid(alpha=0.3)
    axes.set_xlabel("step")
    _save(figure, path)


def _figure(width: float, height: float):
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
