"""Pictures of an evaluation: nearest training neighbours, classes, samples, curves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import kgan.pictures
from kgan.evaluation.classes import ClassRow
from kgan.history import read_history
from kgan.kinds import Images, Kind
from kgan.metrics import neighbours
from kgan.metrics.sample_set import SampleSet
from kgan.pictures.curves import Rows, draw_panels
from kgan.pictures.figure import new_figure, save_figure
from kgan.pixels import visible

_ROWS = 10
_NEIGHBOURS = 6
# Number of points in a picture.
_POINTS = 2500
# Number of real samples converted to floats at a time.
_CHUNK, _VALUES = 4000, 2**25
# Columns of a run's table that are not scores.
_NO_SCORES = frozenset(
    (
        "epoch", "step", "seconds", "samples_per_second",
        "penalty", "d_real", "d_fake",
    )
)  # fmt: skip
_NO_ENDS = ("_loss", "learning_rate")


def draw(
    folder: Path,
    fake: SampleSet,
    real: SampleSet,
    classes: Sequence[ClassRow],
    table: Path | None,
) -> None:
    """Writes the pictures that suit the samples into the folder.

    Args:
        folder: The folder to write to.
        fake: Generated samples.
        real: Real samples to compare with.
        classes: A row for each class; may be empty.
        table: The `metrics.csv` of the run that made the samples, or `None`.
    """
    _draw_samples(fake.kind, fake, real, folder)
    if classes:
        _draw_classes(classes, folder / "classes.png")
    if table is not None:
        rows = read_history(table)
        draw_panels(rows, scores_of(rows), folder / "scores.png")


def scores_of(rows: Rows) -> list[str]:
    """Names of the columns of a run's table that are scores, in their order."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [n for n in names if n not in _NO_SCORES and not n.endswith(_NO_ENDS)]


def _draw_samples(kind: Kind, fake: SampleSet, real: SampleSet, folder: Path) -> None:
    """Draws images beside their nearest real neighbours, other kinds over real samples."""
    if isinstance(kind, Images):
        _draw_neighbours(fake, real, folder / "neighbours.png")
    elif type(kind) in kgan.pictures.DRAW:
        some, theirs = fake.samples[:_POINTS], real.samples[:_POINTS]
        picture = kgan.pictures.samples(kind, some, real=theirs)
        kgan.pictures.save_image(picture, folder / f"{kind.plural}.png")


def nearest(fake: SampleSet, real: SampleSet, k: int) -> np.ndarray:
    """Row numbers (n, k) of the real samples nearest to each fake one, nearest first."""
    if fake.extractor is not None:
        return neighbours.nearest(fake.features, real.features, k=min(k, len(real))).indices
    size = max(1, min(_CHUNK, _VALUES // int(np.prod(real.kind.shape))))
    parts = (
        np.asarray(real.take(np.arange(start, min(start + size, len(real)))).samples)
        for start in range(0, len(real), size)
    )
    flat = (part.reshape(len(part), -1) for part in parts)
    queries = np.asarray(fake.samples).reshape(len(fake), -1)
    return neighbours.nearest_in_parts(queries, flat, k=k).indices


def _draw_neighbours(fake: SampleSet, real: SampleSet, path: Path) -> None:
    """Draws a row for each sample: the sample, a gap, and the real samples nearest to it."""
    shown = fake.take(_one_of_each(fake))
    rows = nearest(shown, real, _NEIGHBOURS)
    gap = np.ones((1, *fake.kind.shape), np.float32)
    cells = [
        np.concatenate([sample[None], gap, real.take(near).samples])
        for sample, near in zip(shown.samples, rows, strict=True)
    ]
    shown_channels = getattr(real.kind, "shown", None)
    picture = np.asarray(
        kgan.pictures.grid(visible(np.concatenate(cells), shown_channels), rows.shape[1] + 2)
    )
    by = "pixels" if fake.extractor is None else f"features of {fake.extractor.label}"
    figure = new_figure(7, 7 * picture.shape[0] / picture.shape[1] + 0.5)
    axes = figure.add_subplot()
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set_axis_off()
    axes.set_title(f"generated, and its nearest of {len(real):,} training images\nby {by}")
    save_figure(figure, path)


def _one_of_each(fake: SampleSet) -> np.ndarray:
    """The first sample of each class, or the first samples."""
    if fake.labels is None:
        return np.arange(min(_ROWS, len(fake)))
    return np.unique(fake.labels, return_index=True)[1][:_ROWS]


def _draw_classes(classes: Sequence[ClassRow], path: Path) -> None:
    figure = new_figure(max(6, 0.5 * len(classes)), 4)
    axes = figure.add_subplot()
    places = np.arange(len(classes))
    axes.bar(places - 0.2, [row.real for row in classes], 0.4, color="0.7", label="real")
    axes.bar(places + 0.2, [row.generated for row in classes], 0.4, label="generated")
    axes.set_xticks(places, [row.name for row in classes])
    if any(len(row.name) > 3 for row in classes):
        axes.tick_params(axis="x", rotation=60)
    axes.set_ylabel("share")
    figure.legend(loc="outside upper center", ncols=2)
    save_figure(figure, path)
