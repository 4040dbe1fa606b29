"""Compares a classifier before and after hardening: the same attacks on the same images."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kgan.attacks import FGSM, PGD, AutoAttack, Victim
from kgan.certificates.interval_bounds import certified
from kgan.data import Dataset
from kgan.files import atomic_path
from kgan.names import printable
from kgan.robustness.comparison_picture import draw_comparison
from kgan.robustness.evaluation import evaluate
from kgan.robustness.report import Report, Row
from kgan.robustness.report_schema import SCHEMA_VERSION
from kgan.robustness.summary import CERTIFIED

# What the table calls a report's attack.
_NAMES = {"PGD": "PGD-40"}
# Radii of the curve, as shares of the radius trained for; one of them is 1.
_RADII = tuple(k / 6 for k in range(1, 9))


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Robustness of a classifier before and after hardening.

    Attributes:
        method: The method by which it was hardened.
        epsilon: The radius trained for.
        seconds: Duration of the hardening, in seconds.
        stopped: Whether the overfitting guard ended the hardening.
        reports: Reports on FGSM and PGD-40 over a range of radii, by "before" and "after", with
            signs of gradient masking.
        autoattacks: Reports on AutoAttack at `epsilon`, on fewer images, by "before" and "after";
            empty if left out.
        uncertified: Why nothing is certified; `None` where it is.
        provenance: Where the figures come from, by the name of the fact.
    """

    method: str
    epsilon: float
    seconds: float
    stopped: bool
    reports: dict[str, Report]
    autoattacks: dict[str, Report]
    uncertified: str | None = None
    provenance: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def hint(self) -> str:
        """What to do where the hardening learnt nothing; empty where it did."""
        report = self.reports["after"]
        chance = max(report.class_counts, default=0) / report.n
        if report.clean.interval[0] > chance:
            return ""
        return (
            "The hardened classifier is no better than chance: the training did not get going. Let "
            "the attack grow (--warmup 2), or lower --learning-rate."
        )

    def rows(self, when: str) -> dict[str, tuple[Row, int]]:
        """The rows of the table for "before" or "after", each with its number of images."""
        report = self.reports[when]
        found = {"clean": (report.clean, report.n)}
        for row in report.rows:
            if row.epsilon == self.epsilon:
                found[_NAMES.get(row.attack, row.attack)] = (row, report.n)
        if when in self.autoattacks:
            report = self.autoattacks[when]
            found["AutoAttack"] = (report.rows[0], report.n)
        report = self.reports[when]
        for row in report.certified:
            if row.epsilon == self.epsilon:
                found[row.attack] = (row, report.n)
        return found


def compare(
    before: keras.Model | Victim,
    after: keras.Model | Victim,
    data: Dataset,
    *,
    method: str,
    epsilon: float,
    norm: str = "linf",
    n: int = 1000,
    autoattack_n: int = 200,
    seed: int = 0,
    seconds: float = 0.0,
    stopped: bool = False,
    provenance: dict[str, str] | None = None,
) -> Comparison:
    """Attacks both classifiers with the same attacks on the same images.

    Args:
        before: The classifier that was not hardened.
        after: The hardened classifier.
        data: Labelled images on which neither classifier was trained.
        method: The method by which it was hardened.
        epsilon: The radius trained for.
        norm: The norm of the ball.
        n: Number of images to attack, drawn at random.
        autoattack_n: Number of these images that AutoAttack gets; 0 leaves AutoAttack out.
        seed: Seed of the choice of images and of the attacks, an int.
        seconds: Duration of the hardening, in seconds.
        stopped: Whether the overfitting guard ended the hardening.
        provenance: Where the figures come from, by the name of the fact.
    """
    rows = np.random.default_rng(seed).permutation(len(data))
    some = data.take(np.sort(rows[:n]))
    common: dict[str, Any] = {"norm": norm, "seed": seed}
    # No linf ball is larger than the box.
    largest = 1.0 if norm == "linf" else float("inf")
    radii = [epsilon * share if share != 1 else epsilon for share in _RADII]
    radii = [min(largest, radius) for radius in radii]
    reports, autoattacks = {}, {}
    why = next(filter(None, (_uncertifiable(model, some, norm) for model in (before, after))), None)
    for when, model in (("before", before), ("after", after)):
        print(f"attacking {len(some):,} images, {when}", flush=True)
        reports[when] = evaluate(
            model,
            some.values,
            some.labels,
            attacks=[FGSM(epsilon, **common), PGD(epsilon, steps=40, **common)],
            epsilons=sorted(set(radii)),
            norm=norm,
            class_names=some.class_names,
            certify=why is None,
        )
        if autoattack_n:
            few = data.take(np.sort(rows[: min(autoattack_n, n)]))
            autoattacks[when] = evaluate(
                model,
                few.values,
                few.labels,
                attacks=[AutoAttack(epsilon, **common)],
                epsilons=[epsilon],
                norm=norm,
                class_names=few.class_names,
                find_masking=False,
            )
    return Comparison(
        method, epsilon, seconds, stopped, reports, autoattacks, why, provenance or {}
    )


def _uncertifiable(model: keras.Model | Victim, data: Dataset, norm: str) -> str | None:
    """Why interval bounds say nothing of this classifier; `None` where they do."""
    if norm != "linf":
        return f"interval bounds are for linf, not for {norm}."
    two = data.take([0, 1])
    try:
        certified(model, two.as_float(), two.labels, epsilon=0.0)
    except ValueError as error:
        return str(error)
    return None


def write(comparison: Comparison, folder: Path) -> None:
    """Writes `robustness.json` and `robustness.png` into the folder."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "method": comparison.method,
        "epsilon": comparison.epsilon,
        "seconds": comparison.seconds,
        "stopped": comparison.stopped,
        "table": {
            when: {
                name: {"accuracy": row.robust_accuracy, "interval": row.interval, "n": n}
                for name, (row, n) in comparison.rows(when).items()
            }
            for when in comparison.reports
        },
        "reports": {when: report.to_dict() for when, report in comparison.reports.items()},
        "autoattack": {when: report.to_dict() for when, report in comparison.autoattacks.items()},
        "uncertified": comparison.uncertified,
        "provenance": comparison.provenance,
    }
    with atomic_path(folder / "robustness.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    points = {when: comparison.rows(when)["AutoAttack"] for when in comparison.autoattacks}
    draw_comparison(
        comparison.reports,
        folder / "robustness.png",
        curve="PGD",
        epsilon=comparison.epsilon,
        points=points,
    )


def tell(comparison: Comparison, folder: Path) -> None:
    """Prints the table, and where the files are."""
    norm = comparison.reports["after"].norm
    table = Table(title=f"{comparison.method}, {norm} {comparison.epsilon:.4g}")
    table.add_column("accuracy")
    for heading in ("images", "before", "after", "95% interval", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    before, after = (comparison.rows(when) for when in ("before", "after"))
    for name, (row, n) in after.items():
        low, high = row.interval
        table.add_row(
            name,
            f"{n:,}",
            f"{before[name][0].robust_accuracy:.1%}",
            f"{row.robust_accuracy:.1%}",
            f"{low:.1%} - {high:.1%}",
            ""
            if name in ("clean", CERTIFIED)
            else f"{before[name][0].seconds:.1f} + {row.seconds:.1f}",
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    if comparison.hint:
        console.print(Text(comparison.hint))
    for when, report in comparison.reports.items():
        for flag in report.flags:
            text = f"gradient masking {when}? {flag.name}: {flag.evidence}."
            console.print(Text(text, style="bold red"))
    console.print(
        Text(
            f"hardening took {comparison.seconds:.1f} s; seconds of an attack: before + after; "
            + printable(f"interval of after. Report: {folder}/report.html")
        )
    )
