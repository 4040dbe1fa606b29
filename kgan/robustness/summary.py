"""The figures of a report: from which images were fooled, and by how large a change."""

import dataclasses

import numpy as np

from kgan.intervals import share_interval
from kgan.robustness.masking import Outcome
from kgan.robustness.report import CHANGE_NORMS, Change, Curve, Row
from kgan.robustness.results import TrialResult
from kgan.robustness.trials import Trial

WORST_CASE = "worst case"
CERTIFIED = "certified"
_CURVE_POINTS = 200
# Relative tolerance of the radius: rounding may move a change out of its ball by this much.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Summary:
    """The results of all trials over the whole data.

    Attributes:
        norm: Norm of the balls.
        epsilons: Radii of the balls, ascending.
        labels: Classes of the images, int32 (n,), or what else is true of them.
        correct: Whether each clean image is classified correctly, bool (n,).
        classes: Number of classes; 0 for a victim without.
        results: The result of each trial.
    """

    norm: str | None
    epsilons: list[float]
    labels: np.ndarray
    correct: np.ndarray
    classes: int
    results: dict[Trial, TrialResult]

    def fooled(self, trial: Trial, epsilon: float | None) -> np.ndarray:
        """Which images were correct and are fooled within `epsilon` (any change if `None`)."""
        result = self.results[trial]
        fooled = result.success & self.correct
        if epsilon is None or self.norm is None:
            return fooled
        reach = result.lengths[CHANGE_NORMS.index(self.norm)]
        return fooled & (reach <= epsilon + _ROUNDING * max(1.0, epsilon))

    def at(self, trial: Trial) -> list[float | None]:
        """The epsilons to report for a trial: its own, or for a minimal attack all and `None`."""
        if trial.epsilon is not None:
            return [trial.epsilon]
        return [*self.epsilons, None] if trial.attack.minimal else [None]

    def rows(self) -> list[Row]:
        return [
            self.row(trial.name, epsilon, self.fooled(trial, epsilon), self.results[trial])
            for trial in self.results
            for epsilon in self.at(trial)
        ]

    def outcomes(self) -> list[Outcome]:
        """The outcomes at each epsilon, over the images first correct, for `masking.compare`."""
        return [
            Outcome(trial.attack, epsilon, self.fooled(trial, epsilon)[self.correct])
            for trial in self.results
            for epsilon in self.at(trial)
            if epsilon is not None
        ]

    def worst_case(self) -> list[Row]:
        """At each epsilon, the images that any attack fooled at that epsilon or a smaller one."""
        return [self.row(WORST_CASE, epsilon, self._union(epsilon)) for epsilon in self.epsilons]

    def _union(self, epsilon: float) -> np.ndarray:
        fooled = np.zeros(len(self.labels), bool)
        for trial in self.results:
            if trial.attack.minimal:
                fooled |= self.fooled(trial, epsilon)
            elif trial.epsilon is not None and trial.epsilon <= epsilon:
                fooled |= self.fooled(trial, trial.epsilon)
        return fooled

    def row(
        self,
        name: str,
        epsilon: float | None,
        fooled: np.ndarray,
        result: TrialResult | None = None,
    ) -> Row:
        """A row of the report.

        Args:
            name: The attack's name.
            epsilon: Radius of the ball; `None` where there is no limit.
            fooled: Which images it fooled, bool (n,).
            result: What the trial did; `None` for a row that is no trial's.
        """
        robust = self.correct & ~fooled
        correct = int(self.correct.sum())
        changes = {}
        if result is not None and fooled.any():
            changes = {
                norm: Change(float(lengths[fooled].mean()), float(np.median(lengths[fooled])))
                for norm, lengths in zip(CHANGE_NORMS, result.lengths, strict=True)
            }
        of_class = [self.labels == label for label in range(self.classes)]
        return Row(
            attack=name,
            epsilon=epsilon,
            robust_accuracy=float(robust.mean()),
            interval=share_interval(int(robust.sum()), len(robust)),
            success_rate=float(fooled.sum() / correct) if correct else None,
            changes=changes,
            per_class=[float(robust[rows].mean()) if rows.any() else None for rows in of_class],
            seconds=result.seconds if result is not None else 0.0,
            details=result.details if result is not None else {},
        )

    def curves(self) -> dict[str, Curve]:
        """Robust accuracy against epsilon for each attack, by name; the worst case comes last."""
        curves = {}
        fine = self._fine_epsilons()
        for name in dict.fromkeys(trial.name for trial in self.results):
            trials = [trial for trial in self.results if trial.name == name]
            if trials[0].attack.minimal:
                points = {epsilon: self.fooled(trials[0], epsilon) for epsilon in fine}
            else:
                points = {
                    trial.epsilon: self.fooled(trial, trial.epsilon)
                    for trial in trials
                    if trial.epsilon
                }
            if points:
                curves[name] = self._curve(points)
        if self.epsilons:
            radii = sorted({*self.epsilons, *fine})
            curves[WORST_CASE] = self._curve({radius: self._union(radius) for radius in radii})
        return curves

    def _fine_epsilons(self) -> list[float]:
        """The epsilons at which the curve of a minimal attack is computed."""
        minimal = [trial for trial in self.results if trial.attack.minimal]
        if not minimal or self.norm is None:
            return []
        index = CHANGE_NORMS.index(self.norm)
        reach = [self.results[trial].lengths[index] * self.fooled(trial, None) for trial in minimal]
        highest = max(self.epsilons, default=0.0) or float(np.max(reach))
        return np.linspace(0.0, highest, _CURVE_POINTS + 1)[1:].tolist() if highest else []

    def _curve(self, points: dict[float, np.ndarray]) -> Curve:
        points = {0.0: np.zeros(len(self.labels), bool)} | points
        n = len(self.labels)
        robust = [int((self.correct & ~fooled).sum()) for fooled in points.values()]
        intervals = [share_interval(hits, n) for hits in robust]
        return Curve(
            epsilon=[float(epsilon) for epsilon in points],
            robust_accuracy=[hits / n for hits in robust],
            low=[low for low, _ in intervals],
            high=[high for _, high in intervals],
        )
