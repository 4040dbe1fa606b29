"""Values against training steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kgan.pictures.figure import new_figure, save_figure

Rows = Sequence[Mapping[str, float]]
"""Rows of a run's table: values by name, "step" among them; a row may lack a value."""


def draw_curves(
    rows: Rows, names: Sequence[str], path: Path, *, axis_name: str, level: float | None = None
) -> None:
    """Draws several values in one picture.

    Args:
        rows: The table's rows.
        names: Names of the values; those that no row has are left out.
        path: Path of the PNG file to write.
        axis_name: Label of the vertical axis.
        level: Value at equilibrium, drawn as a line; the axis is then [0, 1].
    """
    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    for name in names:
        if steps := _steps(rows, name):
            # Of one step a line shows nothing.
            dot = "." if len(steps) == 1 else None
            axes.plot(steps, _values(rows, name), label=name, marker=dot)
    if level is not None:
        axes.axhline(level, color="0.6", linestyle="--", label="equilibrium")
        axes.set_ylim(0, 1)
    axes.set_xlabel("step")
    axes.set_ylabel(axis_name)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    save_figure(figure, path)


def draw_panels(rows: Rows, names: Sequence[str], path: Path) -> None:
    """A panel for each value, one above the other; nothing where there is none.

    Args:
        rows: The table's rows.
        names: Which values.
        path: The PNG.
    """
    if not names:
        return
    figure = new_figure(7, 2.2 * len(names))
    for axes, name in zip(figure.subplots(len(names), squeeze=False)[:, 0], names, strict=True):
        steps = _steps(rows, name)
        axes.plot(steps, _values(rows, name), marker="." if len(steps) < 50 else None)
        axes.set_title(name, fontsize=9)
        axes.grid(alpha=0.3)
    axes.set_xlabel("step")
    save_figure(figure, path)


def _steps(rows: Rows, name: str) -> list[float]:
    return [row["step"] for row in rows if name in row]


def _values(rows: Rows, name: str) -> list[float]:
    return [row[name] for row in rows if name in row]
