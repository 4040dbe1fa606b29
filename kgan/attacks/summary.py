"""From who was fooled by how large a change to the figures of a report."""

import dataclasses

import numpy as np

from kgan.attacks.masking import Outcome
from kgan.attacks.parts import Part, Run
from kgan.attacks.report import CHANGE_NORMS, Change, Curve, Row, wilson

WORST_CASE = "worst case"
_CURVE_POINTS = 200
# How far rounding may carry a change out of its ball, for each unit of the radius.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Summary:
    """All that was seen, over the whole data.

    Attributes:
        norm: The balls' norm.
        epsilons: Their radii, ascending.
        labels: int32 (n,).
        correct: bool (n,): classified correctly when clean.
        classes: How many classes there are.
        parts: What each run did.
    """

    norm: str | None
    epsilons: list[float]
    labels: np.ndarray
    correct: np.ndarray
    classes: int
    parts: dict[Run, Part]

    def fooled(self, run: Run, epsilon: float | None) -> np.ndarray:
        """Who was correct and is not within `epsilon` (without any limit if `None`)."""
        part = self.parts[run]
        fooled = part.success & self.correct
        if epsilon is None or self.norm is None:
            return fooled
        reach = part.lengths[CHANGE_NORMS.index(self.norm)]
        return fooled & (reach <= epsilon + _ROUNDING * max(1.0, epsilon))

    def at(self, run: Run) -> list[float | None]:
        """The epsilons to report a run at: its own, or all and none for a minimal attack."""
        if run.epsilon is not None:
            return [run.epsilon]
        return [*self.epsilons, None] if run.attack.minimal else [None]

    def rows(self) -> list[Row]:
        return [
            self.row(run.name, epsilon, self.fooled(run, epsilon), self.parts[run])
            for run in self.parts
            for epsilon in self.at(run)
        ]

    def outcomes(self) -> list[Outcome]:
        """For `masking.compare`: the images that were correct, within each epsilon."""
        return [
            Outcome(run.attack, epsilon, self.fooled(run, epsilon)[self.correct])
            for run in self.parts
            for epsilon in self.at(run)
            if epsilon is not None
        ]

    def worst_case(self) -> list[Row]:
        """At each epsilon, whom any attack fooled at that epsilon or a smaller one."""
        return [self.row(WORST_CASE, epsilon, self._union(epsilon)) for epsilon in self.epsilons]

    def _union(self, epsilon: float) -> np.ndarray:
        fooled = np.zeros(len(self.labels), bool)
        for run in self.parts:
            if run.attack.minimal:
                fooled |= self.fooled(run, epsilon)
            elif run.epsilon is not None and run.epsilon <= epsilon:
                fooled |= self.fooled(run, run.epsilon)
        return fooled

    def row(
        self, name: str, epsilon: float | None, fooled: np.ndarray, part: Part | None = None
    ) -> Row:
        robust = self.correct & ~fooled
        correct = int(self.correct.sum())
        changes = {}
        if part is not None and fooled.any():
            changes = {
                norm: Change(float(lengths[fooled].mean()), float(np.median(lengths[fooled])))
                for norm, lengths in zip(CHANGE_NORMS, part.lengths, strict=True)
            }
        of_class = [self.labels == label for label in range(self.classes)]
        return Row(
            attack=name,
            epsilon=epsilon,
            robust_accuracy=float(robust.mean()),
            interval=wilson(int(robust.sum()), len(robust)),
            success_rate=float(fooled.sum() / correct) if correct else None,
            changes=changes,
            per_class=[float(robust[rows].mean()) if rows.any() else None for rows in of_class],
            seconds=part.seconds if part is not None else 0.0,
            details=part.details if part is not None else {},
        )

    def curves(self) -> dict[str, Curve]:
        """Robust accuracy against epsilon from the clean one at 0; the worst case last."""
        curves = {}
        fine = self._fine_epsilons()
        for name in dict.fromkeys(run.name for run in self.parts):
            runs = [run for run in self.parts if run.name == name]
            if runs[0].attack.minimal:
                points = {epsilon: self.fooled(runs[0], epsilon) for epsilon in fine}
            else:
                points = {run.epsilon: self.fooled(run, run.epsilon) for run in runs if run.epsilon}
            if points:
                curves[name] = self._curve(points)
        if self.epsilons:
            radii = sorted({*self.epsilons, *fine})
            curves[WORST_CASE] = self._curve({radius: self._union(radius) for radius in radii})
        return curves

    def _fine_epsilons(self) -> list[float]:
        """Where the curve of a minimal attack is read off: up to the largest radius of interest."""
        minimal = [run for run in self.parts if run.attack.minimal]
        if not minimal or self.norm is None:
            return []
        index = CHANGE_NORMS.index(self.norm)
        reach = [self.parts[run].lengths[index] * self.fooled(run, None) for run in minimal]
        highest = max(self.epsilons, default=0.0) or float(np.max(reach))
        return np.linspace(0.0, highest, _CURVE_POINTS + 1)[1:].tolist() if highest else []

    def _curve(self, points: dict[float, np.ndarray]) -> Curve:
        points = {0.0: np.zeros(len(self.labels), bool)} | points
        n = len(self.labels)
        robust = [int((self.correct & ~fooled).sum()) for fooled in points.values()]
        intervals = [wilson(hits, n) for hits in robust]
        return Curve(
            epsilon=[float(epsilon) for epsilon in points],
            robust_accuracy=[hits / n for hits in robust],
            low=[low for low, _ in intervals],
            high=[high for _, high in intervals],
        )
