"""Accuracy under common corruptions, and the mean corruption error."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kgan.attacks.input_range import check_range
from kgan.attacks.victim import Victim, victim_of
from kgan.intervals import share_interval
from kgan.names import printable
from kgan.robustness.chunks import chunks, length_of
from kgan.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from kgan.robustness.corruptions.corrupt import check_corruptible


@dataclasses.dataclass(frozen=True)
class CorruptionRow:
    """One corruption at one severity.

    Attributes:
        corruption: A key of `CORRUPTIONS`.
        severity: 1 to 5.
        accuracy: Share of the corrupted images that are classified correctly.
        interval: 95% interval of that share.
        baseline: The baseline's accuracy on the same images; `None` without a baseline.
    """

    corruption: str
    severity: int
    accuracy: float
    interval: tuple[float, float]
    baseline: float | None = None


@dataclasses.dataclass(frozen=True)
class CorruptionReport:
    """How a classifier stands common corruptions.

    Attributes:
        model: Name of the classifier.
        n: Number of images, each corrupted in every way.
        clean: Accuracy on the images as they are.
        rows: A row for each corruption at each severity.
        seed: Seed of the corruptions.
        baseline: Name of the classifier that errors are divided by; `None` without one.
        baseline_clean: Its accuracy on the images as they are.
    """

    model: str
    n: int
    clean: float
    rows: list[CorruptionRow]
    seed: int
    baseline: str | None = None
    baseline_clean: float | None = None

    @property
    def names(self) -> list[str]:
        """The corruptions, in the order of the rows."""
        return list(dict.fromkeys(row.corruption for row in self.rows))

    def of(self, name: str) -> list[CorruptionRow]:
        """The rows of a corruption, by severity."""
        return [row for row in self.rows if row.corruption == name]

    @property
    def mean_accuracy(self) -> float:
        """The mean over all corruptions and severities."""
        return float(np.mean([row.accuracy for row in self.rows]))

    def corruption_error(self, name: str) -> float | None:
        """The sum of the errors over the severities, divided by the baseline's.

        `None` without a baseline, or where it makes no error.
        """
        return _ratio([(1 - row.accuracy, _error(row)) for row in self.of(name)])

    @property
    def mce(self) -> float | None:
        """The mean corruption error; 1 is as good as the baseline, less is better."""
        return _mean([self.corruption_error(name) for name in self.names])

    @property
    def relative_mce(self) -> float | None:
        """The same of what each model loses by the corruption, against its own clean error."""
        if self.baseline_clean is None:
            return None
        lost = {
            name: [
                (self.clean - row.accuracy, self.baseline_clean - (row.baseline or 0.0))
                for row in self.of(name)
            ]
            for name in self.names
        }
        return _mean([_ratio(pairs) for pairs in lost.values()])

    def __str__(self) -> str:
        lines = [
            f"{self.model} under common corruptions, {self.n:,} images: {self.mean_accuracy:.1%} "
            f"on average, {self.clean:.1%} clean{corruption_errors(self)}"
        ]
        for name in self.names:
            shown = "".join(f"{row.accuracy:>8.1%}" for row in self.of(name))
            lines.append(f"{name.replace('_', ' '):<20}{shown}")
        return "\n".join(lines)


def corruption_report(
    model: keras.Model | Victim,
    images: Any,
    labels: Any = None,
    *,
    baseline: keras.Model | Victim | None = None,
    names: Sequence[str] = tuple(CORRUPTIONS),
    seed: int = 0,
    batch_size: int = 256,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> CorruptionReport:
    """Measures the accuracy under each corruption at each severity.

    The corruptions are computed from the published description, not read from the published files,
    and the ice of `frost` is made rather than photographed: figures are comparable with each other,
    and about with those of ImageNet-C and CIFAR-10-C.

    Args:
        model: Any Keras classifier, or a `kgan.attacks.Victim`, whose criterion says what is right,
            of the baseline's answers too.
        images: (n, height, width, channels) in [0, 1] or uint8, grey or RGB; or a
            `tf.data.Dataset` of (images, labels) batches.
        labels: Integers, a column, or one-hot; left out for a `tf.data.Dataset`.
        baseline: The classifier that errors are divided by, for the mCE; the paper has AlexNet.
        names: Keys of `CORRUPTIONS`.
        seed: Seed of all random numbers, an int in [0, 2**31 - 1].
        batch_size: Number of images classified at a time.
        progress: Function called with (images done, all images or None, what comes next).

    Returns:
        A `CorruptionReport`.

    Raises:
        ValueError: For images that are not grey or RGB, or where the model seems to take another
            range.

    Reference: Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to common
    corruptions and perturbations", section 4.
    """
    models = [model] if baseline is None else [model, baseline]
    right: dict[tuple[str, int], list[np.ndarray]] = {}
    total = length_of(images)
    total = None if total is None else total * len(names) * len(SEVERITIES)
    done = 0
    for chunk in chunks(model, images, labels, batch_size):
        if labels is None and total is not None:
            raise ValueError("labels must be given: corruptions are judged by the true classes.")
        if not right:
            check_corruptible(chunk.images.shape[1:])
            for one in models:
                check_range(victim_of(one, chunk.images), chunk.images, chunk.labels)
        right.setdefault(("clean", 0), []).append(_right(models, chunk.images, chunk, batch_size))
        indices = np.arange(chunk.start, chunk.start + len(chunk.labels))
        for name in names:
            for severity in SEVERITIES:
                if progress:
                    progress(done, total, f"{name} {severity}")
                changed = corrupt(chunk.images, name, severity, seed=seed, indices=indices)
                found = _right(models, changed, chunk, batch_size)
                right.setdefault((name, severity), []).append(found)
                done += len(chunk.labels)
    if not right:
        raise ValueError("images must not be empty.")
    hits = {key: np.concatenate(found, axis=1) for key, found in right.items()}
    clean = hits.pop(("clean", 0))
    n = clean.shape[1]
    return CorruptionReport(
        model=printable(model.name),
        n=n,
        clean=float(clean[0].mean()),
        rows=[
            CorruptionRow(
                name,
                severity,
                float(found[0].mean()),
                share_interval(int(found[0].sum()), n),
                None if baseline is None else float(found[1].mean()),
            )
            for (name, severity), found in hits.items()
        ],
        seed=seed,
        baseline=None if baseline is None else printable(baseline.name),
        baseline_clean=None if baseline is None else float(clean[1].mean()),
    )


def _right(models: list[Any], images: np.ndarray, chunk: Any, batch_size: int) -> np.ndarray:
    """Which images each model gets right by the criterion of the first, bool (models, n)."""
    victims = [victim_of(model, images) for model in models]
    return np.stack(
        [
            ~victims[0].fooled(one.predict(images, batch_size=batch_size), chunk.labels)
            for one in victims
        ]
    )


def _error(row: CorruptionRow) -> float | None:
    return None if row.baseline is None else 1 - row.baseline


def _ratio(pairs: Sequence[tuple[float, float | None]]) -> float | None:
    below = [other for _, other in pairs if other is not None]
    if len(below) < len(pairs) or not sum(below) > 0:
        return None
    return sum(one for one, _ in pairs) / sum(below)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def corruption_errors(report: CorruptionReport) -> str:
    """The mCE and the relative mCE as the end of a sentence; empty without a baseline."""
    if report.baseline is None:
        return ""
    found = (("mCE", report.mce), ("relative mCE", report.relative_mce))
    shares = [f"{name} {'not defined' if one is None else f'{one:.1%}'}" for name, one in found]
    return f"; {', '.join(shares)}, against {report.baseline}"
