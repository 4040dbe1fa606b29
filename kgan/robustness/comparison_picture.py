"""The picture of a hardening: robust accuracy against epsilon, before and after."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kgan.pictures.figure import new_figure, save_figure
from kgan.robustness.report import Report, Row

_COLOURS = {"before": "tab:red", "after": "tab:blue"}


def draw_comparison(
    reports: Mapping[str, Report],
    path: str | Path,
    *,
    curve: str,
    epsilon: float,
    points: Mapping[str, tuple[Row, int]],
) -> None:
    """Draws clean accuracy as bars, and robust accuracy against epsilon, with 95% intervals.

    Args:
        reports: The reports, by "before" and "after".
        path: Path of the PNG file to write.
        curve: Name of the attack whose curve is drawn.
        epsilon: The radius trained for, drawn as a line.
        points: A further row at `epsilon` (that of AutoAttack) and its number of images, by
            "before" and "after".
    """
    figure = new_figure(8, 4.2, dpi=110)
    bars, curves = figure.subplots(1, 2, width_ratios=(1, 3.2), sharey=True)
    for position, (when, report) in enumerate(reports.items()):
        colour = _COLOURS[when]
        clean = report.clean
        bars.bar(position, clean.robust_accuracy, color=colour, alpha=0.75, width=0.7)
        bars.text(
            position, clean.robust_accuracy / 2, f"{clean.robust_accuracy:.1%}",
            ha="center", va="center", color="white", fontsize=9,
        )  # fmt: skip
        line = report.curves[curve]
        curves.plot(
            line.epsilon, line.robust_accuracy, color=colour, marker="o", markersize=4,
            label=f"{when}: {curve}, {report.n:,} images",
        )  # fmt: skip
        curves.fill_between(line.epsilon, line.low, line.high, color=colour, alpha=0.15, lw=0)
        if when in points:
            row, n = points[when]
            style: dict[str, Any] = {"color": colour, "marker": "*", "s": 110, "zorder": 3}
            label = f"{when}: {row.attack}, {n:,} images"
            curves.scatter([epsilon], [row.robust_accuracy], label=label, **style)
    bars.set_xticks(range(len(reports)), list(reports))
    bars.set_title("clean accuracy", fontsize=10)
    bars.set_ylim(-0.02, 1.02)
    bars.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    curves.axvline(epsilon, color="grey", linestyle=":", linewidth=1)
    curves.set_title("robust accuracy; dotted: the epsilon trained for", fontsize=10)
    curves.set_xlabel(f"epsilon ({reports['after'].norm})")
    curves.set_xlim(left=0)
    curves.legend(loc="best", fontsize=8)
    for axes in (bars, curves):
        axes.grid(alpha=0.3, axis="y")
    save_figure(figure, path)
