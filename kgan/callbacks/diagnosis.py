"""Rules that turn vital signs into named problems; every threshold states its source."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from kgan.callbacks.vital_signs import VitalSigns
from kgan.files import atomic_path


@dataclass(frozen=True)
class Finding:
    """A problem that the doctor saw.

    Attributes:
        name: One of `PROBLEMS`.
        step: Number of generator updates done when the problem was seen.
        figures: The measured values that show the problem, by name.
        advice: What to try against it.
    """

    name: str
    step: int
    figures: dict[str, float] = field(default_factory=dict)
    advice: str = ""

    def as_dict(self) -> dict:
        return asdict(self)

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.3g}" for name, value in self.figures.items())
        return f"{self.name} at step {self.step:,} ({figures}). {self.advice}"


def read_findings(path: Path) -> list[Finding]:
    """Findings from a file; none where there is no file."""
    if not path.is_file():
        return []
    return [Finding(**row) for row in json.loads(path.read_text())]


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Writes findings as JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps([one.as_dict() for one in findings], indent=2) + "\n")


@dataclass(frozen=True)
class Patient:
    """The measurements that the rules read.

    Attributes:
        signs: The vital signs of all check-ups so far, oldest first.
        real_classes: Share of each class among real samples; empty without a labelling function.
        copied_share: Share of the training set that is searched for copies, in (0, 1].
    """

    signs: Sequence[VitalSigns]
    real_classes: tuple[float, ...] = ()
    copied_share: float = 1.0

    @property
    def now(self) -> VitalSigns:
        return self.signs[-1]

    def lately(self, check_ups: int) -> Sequence[VitalSigns]:
        """The latest `check_ups` check-ups; empty if there are fewer so far."""
        return self.signs[-check_ups:] if len(self.signs) >= check_ups else ()

    def held(self, check_ups: int, condition: Callable[[VitalSigns], bool]) -> bool:
        """Whether a condition held at each of the latest `check_ups` check-ups."""
        recent = self.lately(check_ups)
        return bool(recent) and all(condition(signs) for signs in recent)

    def stalled(self, check_ups: int) -> bool:
        """Whether the distance to the data fell by less than a fifth over the latest check-ups."""
        recent = self.lately(check_ups)
        return bool(recent) and recent[-1].distance > 0.8 * recent[0].distance


Figures = dict[str, float]


def divergence(patient: Patient) -> Figures | None:
    if not patient.now.finite:
        return {"finite": 0.0}
    best = min(signs.distance for signs in patient.signs if signs.finite)
    # Samples at three times the mean distance of real samples lie where there is no data. Learning
    # lowers the distance, and noise changes it by some tens of per cent (healthy presets: at most
    # 1.4 times the best), so four times the best is a state worse than before.
    if patient.held(2, lambda signs: signs.distance > min(3, 4 * best)):
        return {"distance": patient.now.distance, "best distance": best}
    return None


def mode_collapse(patient: Patient) -> Figures | None:
    def collapsed(signs: VitalSigns) -> bool:
        # Samples from the data distribution have coverage 0.97, precision 0.95, spread 1 and
        # duplicates 0.01. Rough samples early in training also cover little, but they differ from
        # each other (a healthy wgan-gp at step 150: coverage 0.30, spread 0.51, duplicates 0.00).
        alike = signs.coverage < 0.5 and (signs.spread < 0.5 or signs.duplicates > 0.3)
        # Good samples of some modes only: with half of 8 modes the ratio of coverage to precision
        # is 0.5. Modes that are only too narrow have at least 0.77 (healthy ring and grid).
        partial = signs.precision > 0.5 and signs.coverage < 0.6 * signs.precision
        return alike or partial

    # At a slow start the samples are alike too, but they approach the data.
    if not patient.held(3, collapsed) or not patient.stalled(3):
        return None
    now = patient.now
    names = ("coverage", "precision", "spread", "duplicates")
    return {name: getattr(now, name) for name in names}


def missing_classes(patient: Patient) -> Figures | None:
    real = np.asarray(patient.real_classes)

    def missing(signs: VitalSigns) -> np.ndarray:
        share = np.zeros(max(len(real), len(signs.classes)))
        share[: len(signs.classes)] = signs.classes
        # A class with a share of 4% has 10 of 256 samples on average; the probability of one or
        # none is 0.0005.
        return (real >= 0.04) & (share[: len(real)] < 0.1 * real)

    recent = patient.lately(3)
    always = np.all([missing(signs) for signs in recent], axis=0) if recent and len(real) else []
    return {f"class {number}": 0.0 for number in np.flatnonzero(always)} or None


def discriminator_too_strong(patient: Patient) -> Figures | None:
    # Early in training every discriminator wins. Later the generator catches up (healthy presets:
    # below 0.95 from step 250 on at the latest), or at least its samples approach the data.
    if patient.held(3, lambda signs: signs.separation > 0.99) and patient.stalled(3):
        return {"separation": patient.now.separation, "distance": patient.now.distance}
    return None


def vanishing_generator_gradient(patient: Patient) -> Figures | None:
    # At equilibrium the slope is 0.5, or 1 for the hinge and Wasserstein losses. At 4% of 0.5 the
    # generator learns next to nothing.
    if patient.held(2, lambda signs: signs.slope < 0.02):
        now = patient.now
        return {"slope": now.slope, "generator gradient": now.generator_gradient}
    return None


def oscillation(patient: Patient) -> Figures | None:
    # Samples of fixed latents settle as a generator learns (healthy presets: 0.2 at step 500). A
    # generator that moves them by half the distance of two random samples each time does not.
    if patient.held(6, lambda signs: signs.movement > 0.5):
        return {"movement": float(np.mean([signs.movement for signs in patient.lately(6)]))}
    return None


def memorisation(patient: Patient) -> Figures | None:
    # If the generator only copies, `copied_share` of its samples are recognized as copies. Half of
    # that is enough to report, but at least 5 of 256 samples.
    least = max(0.5 * patient.copied_share, 0.02)
    if patient.held(2, lambda signs: signs.copies > least):
        return {"copies": patient.now.copies, "all would be": patient.copied_share}
    return None


@dataclass(frozen=True)
class Problem:
    """A rule that detects a problem, what to try, and whether it harms the averaged generator."""

    rule: Callable[[Patient], Figures | None]
    advice: str
    harmful: bool = False


PROBLEMS: dict[str, Problem] = {
    "divergence": Problem(
        divergence,
        "Try a tenth of the learning rates, a penalty (--penalty r1) or --spectral.",
        harmful=True,
    ),
    "mode collapse": Problem(
        mode_collapse,
        "Try --loss relativistic --penalty r1 r2, --packing 2, or --minibatch-stddev.",
        harmful=True,
    ),
    "missing classes": Problem(
        missing_classes, "Train longer, with labels, or try --packing 2 or --minibatch-stddev."
    ),
    "discriminator too strong": Problem(
        discriminator_too_strong,
        "Try a penalty (--penalty r1), --spectral, a lower --d-learning-rate or --n-critic.",
    ),
    "vanishing generator gradient": Problem(
        vanishing_generator_gradient, "Try --loss non_saturating or relativistic, and a penalty."
    ),
    "oscillation": Problem(
        oscillation, "Try lower learning rates, --beta-1 0, or a penalty (--penalty r1 r2)."
    ),
    "memorisation": Problem(
        memorisation, "Try more data, --flip, a stronger penalty, or an earlier checkpoint."
    ),
}


def diagnose(patient: Patient) -> list[Finding]:
    """The problems that the latest vital signs show."""
    found = []
    for name, problem in PROBLEMS.items():
        if figures := problem.rule(patient):
            found.append(Finding(name, patient.now.step, figures, problem.advice))
        if not patient.now.finite:
            break
    return found
