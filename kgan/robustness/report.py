"""The results of an evaluation, as plain numbers that can be saved to JSON and loaded."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from kgan.files import atomic_path
from kgan.robustness.corruption_report import CorruptionReport, CorruptionRow
from kgan.robustness.masking import Flag
from kgan.robustness.report_schema import SCHEMA_VERSION

CHANGE_NORMS = ("l0", "l1", "l2", "linf")
"""The norms in which a report gives the size of a change."""


@dataclasses.dataclass(frozen=True)
class Change:
    """The size of the change to the images that an attack newly fooled.

    Attributes:
        mean: Mean size over those images.
        median: Median size over those images.
    """

    mean: float
    median: float


@dataclasses.dataclass(frozen=True)
class Row:
    """One attack at one epsilon.

    Attributes:
        attack: The attack's name in the report.
        epsilon: Radius of the ball; `None` where there is no limit.
        robust_accuracy: Share of all images that stay correctly classified.
        interval: 95% interval of that share.
        success_rate: Share of the images that were correct and are not any more; `None` where none
            was correct.
        changes: Size of the change in each of `CHANGE_NORMS`, over the images that count in
            `success_rate`; empty where there are none.
        per_class: Robust accuracy on each class; `None` where it has no images.
        seconds: Time the attack took, compilation included.
        details: Shares of the images that only this attack reports.
    """

    attack: str
    epsilon: float | None
    robust_accuracy: float
    interval: tuple[float, float]
    success_rate: float | None
    changes: dict[str, Change]
    per_class: list[float | None]
    seconds: float
    details: dict[str, float]

    def __str__(self) -> str:
        return self.attack if self.epsilon is None else f"{self.attack} at {self.epsilon:.4g}"


@dataclasses.dataclass(frozen=True)
class Curve:
    """Robust accuracy against epsilon, starting at 0, in the report's norm."""

    epsilon: list[float]
    robust_accuracy: list[float]
    low: list[float]
    high: list[float]


@dataclasses.dataclass(frozen=True)
class ExampleImages:
    """A few images before and after the attacks; not part of the JSON.

    Attributes:
        images: The clean ones, all classified correctly, (n, ...) in [0, 1].
        labels: Classes of these images.
        confidence: The probability that the model gives to that class.
        adversarial: Each attack's images at one epsilon, by name, rounded to 8 bits as files hold
            them.
        epsilon: That epsilon, by name; the smallest that fools half of them.
        predicted: The class of the rounded image after each attack, by name.
        predicted_confidence: The probability of that class, by name.
        lost: How many of the images fool as floats, but not rounded, by name.
    """

    images: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    adversarial: dict[str, np.ndarray]
    epsilon: dict[str, float | None]
    predicted: dict[str, np.ndarray]
    predicted_confidence: dict[str, np.ndarray]
    lost: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a classifier is as robust as was asked.

    Attributes:
        least: The share of all images that had to stay correctly classified.
        lowest: The lowest robust accuracy of all rows.
        row: The row that has it: the attack and its epsilon.
    """

    least: float
    lowest: float
    row: str

    @property
    def passed(self) -> bool:
        return self.lowest >= self.least

    def __str__(self) -> str:
        relation = "reaches" if self.passed else "is below"
        lowest, least = told_apart(self.lowest, self.least)
        return (
            f"{'passed' if self.passed else 'failed'}: the lowest robust accuracy, "
            f"{lowest} ({self.row}), {relation} the {least} asked for"
        )


def told_apart(share: float, other: float) -> tuple[str, str]:
    """Two shares in per cent, with as many digits as it takes to see that they differ."""
    for digits in range(1, 15):
        texts = f"{share:.{digits}%}", f"{other:.{digits}%}"
        if (texts[0] == texts[1]) == (share == other):
            break
    return texts


@dataclasses.dataclass(frozen=True)
class Report:
    """How robust a classifier is.

    Attributes:
        model: Name of the classifier.
        n: Number of images.
        class_names: A name for each class.
        norm: Norm of the ball; `None` if no attack has one.
        epsilons: Radii of the balls, ascending.
        clean: The row without any attack.
        rows: A row for each attack at each epsilon.
        worst_case: A row for each epsilon, in which an image counts as robust if no attack fooled
            it at that epsilon or a smaller one.
        curves: A curve for each attack and for the worst case, by name; the curve of a minimal
            attack comes from a single run.
        flags: The signs of gradient masking.
        unchecked: Checks for gradient masking that were not made, and the attacks they lacked.
        assumptions: The assumptions of the evaluation, in sentences.
        attacks: Class and settings of each attack, by name.
        versions: Versions of the packages that computed it.
        certified: A row for each epsilon, in which an image counts as robust if no change within
            epsilon can fool the classifier; empty if nothing was certified.
        class_counts: Number of images of each class.
        provenance: Where the figures come from, by the name of the fact: the model's file and its
            hash, the data and their split, the seed, the command, the date.
        verdict: Whether the classifier is as robust as was asked; `None` if nothing was asked.
        corruptions: Its accuracy under common corruptions; `None` if none were tried. They are no
            attacks, and enter neither the worst case nor the verdict.
        examples: Images before and after the attacks, if any; not part of the JSON.
    """

    model: str
    n: int
    class_names: list[str]
    norm: str | None
    epsilons: list[float]
    clean: Row
    rows: list[Row]
    worst_case: list[Row]
    curves: dict[str, Curve]
    flags: list[Flag]
    unchecked: list[str]
    assumptions: list[str]
    attacks: dict[str, dict[str, Any]]
    versions: dict[str, str]
    certified: list[Row] = dataclasses.field(default_factory=list)
    class_counts: list[int] = dataclasses.field(default_factory=list)
    provenance: dict[str, str] = dataclasses.field(default_factory=dict)
    verdict: Verdict | None = None
    corruptions: CorruptionReport | None = None
    examples: ExampleImages | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def lowest(self) -> float:
        """The lowest robust accuracy of all rows that a verdict is about."""
        return self._lowest_row.robust_accuracy

    @property
    def _lowest_row(self) -> Row:
        # Of equal rows the last: a worst case says more than one of its attacks.
        rows = [*self.worst_case, *reversed(self.rows), self.clean]
        return min(filter(self.judges, rows), key=lambda row: row.robust_accuracy)

    def judges(self, row: Row) -> bool:
        """Whether a verdict is about this row.

        It is about all but a minimal attack's row without a limit, where that has others: a change
        of any size fools any classifier.
        """
        limited = {one.attack for one in self.rows if one.epsilon is not None}
        return row.epsilon is not None or row.attack not in limited

    def fails(self, row: Row) -> bool:
        """Whether this row is below what the verdict asks for; never without a verdict."""
        least = None if self.verdict is None else self.verdict.least
        return least is not None and self.judges(row) and row.robust_accuracy < least

    @property
    def told_verdict(self) -> str:
        """The verdict, and what makes it doubtful; empty without one."""
        if self.verdict is None:
            return ""
        doubt = "; there are signs of gradient masking, so the true figure may be lower"
        return f"{self.verdict}{doubt if self.flags else ''}"

    @property
    def seconds(self) -> float:
        """Time of all attacks; a minimal attack's rows come from a single run."""
        once = {row.attack for row in self.rows if row.epsilon is None}
        runs = [row for row in self.rows if row.attack not in once or row.epsilon is None]
        return sum(row.seconds for row in runs)

    def judged(self, least: float) -> "Report":
        """The report with a verdict: whether every robust accuracy is at least `least`."""
        return dataclasses.replace(self, verdict=Verdict(least, self.lowest, str(self._lowest_row)))

    def to_dict(self) -> dict[str, Any]:
        content = dataclasses.asdict(dataclasses.replace(self, examples=None))
        del content["examples"]
        return {"schema_version": SCHEMA_VERSION, **content}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Report":
        values = dict(content)
        # Files of earlier versions say none.
        version = values.pop("schema_version", 0)
        if version > SCHEMA_VERSION:
            raise ValueError(
                f"a report of schema_version {version} was written by a newer kgan; this one reads "
                f"up to {SCHEMA_VERSION}."
            )
        values["clean"] = _row(values["clean"])
        for name in ("rows", "worst_case", "certified"):
            values[name] = [_row(row) for row in values.get(name, ())]
        values["curves"] = {name: Curve(**curve) for name, curve in values["curves"].items()}
        values["flags"] = [Flag(**flag) for flag in values["flags"]]
        if values.get("verdict") is not None:
            values["verdict"] = Verdict(**values["verdict"])
        if values.get("corruptions") is not None:
            values["corruptions"] = _corruptions(values["corruptions"])
        return cls(**values)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the report as JSON; an interrupted save leaves no partial file."""
        with atomic_path(path) as temporary:
            text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
            temporary.write_text(text + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Report":
        """Loads a report from a file that `save` wrote."""
        return cls.from_dict(json.loads(Path(path).read_text()))


def _row(content: dict[str, Any]) -> Row:
    changes = {norm: Change(**change) for norm, change in content["changes"].items()}
    return Row(**{**content, "changes": changes, "interval": tuple(content["interval"])})


def _corruptions(content: dict[str, Any]) -> CorruptionReport:
    rows = [CorruptionRow(**{**row, "interval": tuple(row["interval"])}) for row in content["rows"]]
    return CorruptionReport(**{**content, "rows": rows})
