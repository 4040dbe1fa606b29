"""Certificates: images that provably no change within a radius makes a classifier misjudge.

Attacks bound robust accuracy from above, certificates from below; the truth lies between.

    # By interval bounds, in linf; for networks trained by kgan.defenses.IntervalTraining.
    safe = kgan.certificates.certified(model, images, labels, epsilon=0.1)
    # By randomised smoothing, in l2; for networks trained on noise.
    smoothed = kgan.certificates.SmoothedClassifier(model, sigma=0.25)
    classes, radii = smoothed.certify(images)
"""

from kgan.certificates.interval_bounds import certified, margins
from kgan.certificates.smoothing import ABSTAINED, SmoothedClassifier, certified_accuracy

__all__ = ["ABSTAINED", "SmoothedClassifier", "certified", "certified_accuracy", "margins"]
