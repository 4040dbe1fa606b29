"""The pictures of a report: curves of robust accuracy, and images before and after an attack."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from kgan.pictures.figure import new_figure, save_figure
from kgan.robustness.report import ExampleImages, Report
from kgan.robustness.summary import WORST_CASE

_DPI = 110
# From so many radii on a curve is one of all radii, and needs no dots.
_EVERYWHERE = 50


def draw_curves(report: Report, path: str | Path) -> None:
    """Robust accuracy against epsilon with 95% intervals: each attack, and the worst case.

    Beside the curve of a minimal attack, which is known at every radius, an attack that ran at a
    few radii is dotted between them.
    """
    figure = new_figure(7, 4.2, dpi=_DPI)
    axes = figure.add_subplot()
    known = {name: len(curve.epsilon) >= _EVERYWHERE for name, curve in report.curves.items()}
    for index, (name, curve) in enumerate(report.curves.items()):
        worst = name == WORST_CASE
        colour = "black" if worst else f"C{index % 10}"
        style: dict[str, Any] = {"color": colour, "label": name, "markersize": 4}
        if not known[name]:
            style["marker"] = "o"
        if worst:
            style |= {"linestyle": "--", "linewidth": 1.2}
        elif not known[name] and any(known.values()):
            style["linestyle"] = ":"
        axes.plot(curve.epsilon, curve.robust_accuracy, **style)
        axes.fill_between(curve.epsilon, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
    axes.set_xlabel(f"epsilon ({report.norm})")
    axes.set_ylabel(f"robust accuracy on {report.n:,} images")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(alpha=0.3)
    # The legend is outside of the axes, because the curves may run anywhere.
    title = "dotted: not measured" if len(set(known.values())) > 1 else None
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, title=title)
    save_figure(figure, path)


def draw_examples(
    examples: ExampleImages, name: str, path: str | Path, *, class_names: list[str]
) -> None:
    """Draws each example as a column: original, perturbation and adversarial, with predictions."""
    adversarial = examples.adversarial[name]
    n = len(adversarial)
    figure = new_figure(0.6 + 1.25 * n, 4.9, dpi=_DPI)
    cells = figure.subplots(3, n, squeeze=False)
    for column in range(n):
        before, after = examples.images[column], adversarial[column]
        label, predicted = examples.labels[column], examples.predicted[name][column]
        largest = float(np.abs(after - before).max())
        _show(cells[0, column], before)
        _caption(cells[0, column], class_names[label], examples.confidence[column], "black")
        # Mid-grey is no change; the largest change becomes black or white.
        _show(cells[1, column], 0.5 + (after - before) / (2 * largest or 1.0))
        # In levels of 8 bits, to which what is shown was rounded: 26/255 may be more than 0.1.
        size = f"± {largest * 255:.3g}/255" if largest else "not fooled"
        cells[1, column].set_xlabel(size, fontsize=8)
        _show(cells[2, column], after)
        colour = "tab:red" if predicted != label else "black"
        confidence = examples.predicted_confidence[name][column]
        _caption(cells[2, column], class_names[predicted], confidence, colour)
    for row, text in enumerate(("original", "perturbation", "adversarial")):
        cells[row, 0].set_ylabel(text, fontsize=9)
    save_figure(figure, path)


def _caption(axes: Axes, name: str, confidence: float, colour: str) -> None:
    name = " ".join(name.split())
    name = name if len(name) <= 12 else name[:11] + "…"
    # Between two dollars matplotlib would look for a formula.
    name = name.replace("$", r"\$")
    axes.set_xlabel(f"{name}  {confidence:.0%}", fontsize=9, color=colour)


def _show(axes: Axes, image: np.ndarray) -> None:
    """Draws an image; a grey image may lack the channel axis."""
    pixels = np.clip(image.squeeze(-1) if image.shape[-1] == 1 else image, 0.0, 1.0)
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
