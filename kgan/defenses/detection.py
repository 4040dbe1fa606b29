"""What a detector is worth, against attackers who know of it and who do not."""

import dataclasses
from typing import Any

import numpy as np

from kgan.attacks import Attack
from kgan.attacks.checks import check_images
from kgan.attacks.norms import NORMS
from kgan.defenses.detector import Detector
from kgan.defenses.evading_pgd import EvadingPGD
from kgan.defenses.roc import ROC, area_under_roc, roc
from kgan.labels import class_numbers


@dataclasses.dataclass(frozen=True)
class Detection:
    """What an attack does against a classifier with a detector.

    Attributes:
        fooled: Share of all images that are misclassified.
        detected: Share of these that raise the alarm; `None` where there are none.
        evading: Share of all images that are misclassified and raise none. What is left is the
            robust accuracy of the classifier with its detector.
        area: Area under the ROC curve that tells the misclassified images from clean ones.
        roc: That curve.
    """

    fooled: float
    detected: float | None
    evading: float
    area: float | None
    roc: ROC | None


@dataclasses.dataclass(frozen=True)
class DetectionReport:
    """How well a detector finds attacked images.

    Attributes:
        detector: The detector and its settings.
        attack: The attack that does not know of it, and its settings.
        n: Number of images.
        clean: Accuracy of the classifier on the clean images.
        threshold: The score above which there is an alarm.
        false_alarms: Share of the clean images that raise it.
        naive: What the attack does. Its maker did not know of the detector, so this is no measure
            of security.
        adaptive: What an attacker does who knows of it: for each image `EvadingPGD`'s where it
            evades, and else the naive attack's.
    """

    detector: str
    attack: str
    n: int
    clean: float
    threshold: float
    false_alarms: float
    naive: Detection
    adaptive: Detection

    def __str__(self) -> str:
        lines = [
            f"{self.detector}, {self.attack}, {self.n} images, {self.clean:.1%} clean accuracy",
            f"threshold {self.threshold:.4g}: {self.false_alarms:.1%} false alarms",
            f"{'':<22}{'fooled':>9}{'detected':>10}{'evading':>9}{'ROC area':>10}",
        ]
        for name, found in (("naive attack", self.naive), ("adaptive attack", self.adaptive)):
            detected = "none" if found.detected is None else f"{found.detected:.1%}"
            area = "none" if found.area is None else f"{found.area:.3f}"
            lines.append(
                f"{name:<22}{found.fooled:>9.1%}{detected:>10}{found.evading:>9.1%}{area:>10}"
            )
        return "\n".join(lines)


def detection_report(
    detector: Detector,
    images: Any,
    labels: Any,
    *,
    attack: Attack,
    calibration: Any,
    false_alarms: float = 0.05,
    steps: int = 100,
    batch_size: int = 256,
) -> DetectionReport:
    """Attacks the classifier, and the classifier with its detector: always both.

    Args:
        detector: The detector, fitted, with its classifier.
        images: float32 (n, ...) in [0, 1], on which neither was trained.
        labels: The true classes: integers, a column, or one-hot.
        attack: The attack that does not know of the detector, with a radius: PGD, AutoAttack. The
            one that does gets its radius and norm.
        calibration: Other clean images, on which the threshold is set.
        false_alarms: Share of them that may raise the alarm, in [0, 1).
        steps: Steps of the attack that knows, for each of its weights.
        batch_size: Number of images attacked at a time.

    Returns:
        A `DetectionReport`.

    Raises:
        ValueError: For an attack without a radius, or a detector that is not fitted.
    """
    if not isinstance(attack, Attack):
        raise TypeError(f"attack must be an attack such as PGD(0.3), got {attack!r}.")
    if not attack.has_budget or attack.norm not in NORMS:
        raise ValueError(
            f"attack must have a radius in linf, l2 or l1, which {type(attack).__name__} has not: "
            "the attack that knows of the detector gets the same. Take PGD or AutoAttack."
        )
    images = check_images(images)
    if not len(images):
        raise ValueError("images must not be empty.")
    threshold = detector.threshold(calibration, false_alarms=false_alarms, batch_size=batch_size)
    victim = detector.victim.ready(images)
    victim.check_criterion("a detection report")
    labels = class_numbers(labels, len(images), victim.classes)
    clean_scores = detector.scores(images, batch_size=batch_size)

    def judged(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which images are misclassified, and the scores of all."""
        wrong = victim.predict(images, batch_size=batch_size).argmax(axis=1) != labels
        return wrong, detector.scores(images, batch_size=batch_size)

    naive = attack.run(victim, images, labels, batch_size=batch_size).adversarial
    knowing = EvadingPGD(
        detector, threshold, attack.epsilon, norm=attack.norm, steps=steps, seed=attack.seed
    )
    adaptive = knowing.run(victim, images, labels, batch_size=batch_size).adversarial
    naive_judged, adaptive_judged = judged(naive), judged(adaptive)
    evades = adaptive_judged[0] & (adaptive_judged[1] <= threshold)
    wrong, scores = (
        np.where(evades, one, other)
        for one, other in zip(adaptive_judged, naive_judged, strict=True)
    )
    return DetectionReport(
        detector=repr(detector),
        attack=repr(attack),
        n=len(images),
        clean=1.0 - float(judged(images)[0].mean()),
        threshold=threshold,
        false_alarms=float((clean_scores > threshold).mean()),
        naive=_detection(*naive_judged, clean_scores, threshold),
        adaptive=_detection(wrong, scores, clean_scores, threshold),
    )


def _detection(
    wrong: np.ndarray, scores: np.ndarray, clean: np.ndarray, threshold: float
) -> Detection:
    alarm = scores > threshold
    return Detection(
        fooled=float(wrong.mean()),
        detected=float(alarm[wrong].mean()) if wrong.any() else None,
        evading=float((wrong & ~alarm).mean()),
        area=area_under_roc(clean, scores[wrong]),
        roc=roc(clean, scores[wrong]),
    )
