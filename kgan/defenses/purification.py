"""What a purifying defence is worth, against attackers who know of it and who do not."""

import dataclasses
from typing import Any

import numpy as np

from kgan.attacks import Attack, victim_of
from kgan.attacks.checks import check_images
from kgan.defenses.defense_gan import DefenseGAN
from kgan.defenses.roc import area_under_roc
from kgan.labels import class_numbers


@dataclasses.dataclass(frozen=True)
class PurificationReport:
    """Accuracies with and without a purifying defence, and how well it detects attacked images.

    Attributes:
        attack: Text with the attack and its settings.
        n: Number of images.
        clean: Accuracy of the bare classifier on the images.
        clean_purified: Accuracy on the purified clean images, which shows the cost of the defence.
        undefended: Accuracy of the bare classifier on images that attack it.
        naive: Accuracy on the same images, purified. Their maker did not know of the defence; this
            is no measure of robustness.
        adaptive: Accuracy on purified images that attack the defence itself, through the
            projection, where those of the naive attack fail too.
        bpda: The same of the attack alone that takes the projection for the identity.
        unrolled: The same of the attack alone that takes the gradient through the projection;
            `None` where it was not made.
        naive_detection: Area under the ROC curve of the reconstruction error, which is to tell the
            images that fooled the bare classifier from clean ones; `None` where there are none.
        adaptive_detection: The same for the images that fooled the defence. They were made to fool
            the classifier, not the detector: an attack on both would do better.
    """

    attack: str
    n: int
    clean: float
    clean_purified: float
    undefended: float
    naive: float
    adaptive: float
    naive_detection: float | None
    adaptive_detection: float | None
    bpda: float | None = None
    unrolled: float | None = None

    def __str__(self) -> str:
        rows = [
            ("clean images", self.clean, self.clean_purified),
            ("attack on the classifier (naive)", self.undefended, self.naive),
            ("attack through the projection (adaptive)", None, self.adaptive),
        ]
        for name, value in (("by BPDA", self.bpda), ("by the unrolled descent", self.unrolled)):
            rows += [] if value is None else [(f"  {name} alone", None, value)]
        lines = [f"{self.attack}, {self.n} images", f"{'accuracy':<42}{'bare':>8}{'purified':>10}"]
        for name, bare, purified in rows:
            shown = "" if bare is None else f"{bare:.1%}"
            lines.append(f"{name:<42}{shown:>8}{purified:>10.1%}")
        areas = [
            "none" if area is None else f"{area:.3f}"
            for area in (self.naive_detection, self.adaptive_detection)
        ]
        lines.append(f"area under the ROC of the error: naive {areas[0]}, adaptive {areas[1]}")
        return "\n".join(lines)


def purification_report(
    defense: DefenseGAN,
    images: Any,
    labels: Any,
    *,
    attack: Attack,
    unrolled: int = 0,
    batch_size: int = 64,
) -> PurificationReport:
    """Attacks the bare classifier and the defence itself, always both.

    Args:
        defense: The defence, with its classifier.
        images: float32 (n, ...) in [0, 1].
        labels: The true classes: integers, a column, or one-hot.
        attack: Run on each of the two; one that follows gradients, for the adaptive attack is the
            gradient taken through the projection. It projects once a step.
        unrolled: Steps of the projection through which a second adaptive attack takes its gradient,
            see `DefenseGAN`; 0 leaves that attack out.
        batch_size: Images attacked at a time.

    Returns:
        A `PurificationReport`.
    """
    if not isinstance(attack, Attack):
        raise TypeError(f"attack must be an attack such as PGD(0.3), got {attack!r}.")
    if not attack.adapts:
        raise ValueError(
            f"attack must follow gradients, got {type(attack).__name__}, which would not look at "
            "the projection: its accuracy would pass for that of an adaptive attack. Take PGD."
        )
    images = check_images(images)
    if not len(images):
        raise ValueError("images must not be empty.")
    bare = victim_of(defense.classifier, images[:2])
    labels = class_numbers(labels, len(images), bare.classes)

    def right(images: np.ndarray) -> np.ndarray:
        return bare.predict(images, batch_size=batch_size).argmax(axis=1) == labels

    purified, errors = defense.project(images, batch_size=batch_size)
    naive = attack.run(defense.classifier, images, labels, batch_size=batch_size)
    naive_purified, naive_errors = defense.project(naive.adversarial, batch_size=batch_size)
    withstood = right(naive_purified)
    adaptive = attack.run(defense.with_unrolled(0), images, labels, batch_size=batch_size)
    found, fooled, by_descent = adaptive.adversarial, adaptive.success, None
    if unrolled:
        second = attack.run(defense.with_unrolled(unrolled), images, labels, batch_size=batch_size)
        by_descent = 1.0 - float(second.success.mean())
        new = second.success & ~fooled
        found[new] = second.adversarial[new]
        fooled = fooled | second.success
    adaptive_errors = defense.reconstruction_error(found, batch_size=batch_size)
    return PurificationReport(
        attack=repr(attack),
        n=len(images),
        clean=float(right(images).mean()),
        clean_purified=float(right(purified).mean()),
        undefended=1.0 - float(naive.success.mean()),
        naive=float(withstood.mean()),
        adaptive=float((withstood & ~fooled).mean()),
        naive_detection=area_under_roc(errors, naive_errors[_moved(naive.adversarial, images)]),
        adaptive_detection=area_under_roc(errors, adaptive_errors[_moved(found, images)]),
        bpda=1.0 - float(adaptive.success.mean()),
        unrolled=by_descent,
    )


def _moved(adversarial: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Which images the attack changed; those that it could not fool come back as they were."""
    return (adversarial != images).any(axis=tuple(range(1, images.ndim)))
