"""The detectors, by name."""

from kgan.defenses.detector import Detector
from kgan.defenses.feature_squeezing import FeatureSqueezing
from kgan.defenses.mahalanobis import MahalanobisDetector

DETECTORS: dict[str, type[Detector]] = {
    "feature-squeezing": FeatureSqueezing,
    "mahalanobis": MahalanobisDetector,
}
