"""Making classifiers robust.

    training = kgan.defenses.AdversarialTraining(classifier, method="fast", epsilon=0.3)
    training.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    training.fit(images, labels, batch_size=100, epochs=10)
    classifier.save("hardened.keras")     # The plain model it was, with other weights.

A classifier that is not trained again can be given images that a generator has purified:

    defense = kgan.defenses.DefenseGAN(gan, classifier)
    print(kgan.defenses.purification_report(defense, images, labels, attack=PGD(0.3)))

Or attacked images are told from clean ones, judged by an attacker who knows of it too:

    detector = kgan.defenses.MahalanobisDetector(classifier).fit(train_images, train_labels)
    print(kgan.defenses.detection_report(
        detector, images, labels, attack=PGD(0.1), calibration=other_images
    ))

Evaluate the result with `kgan.robustness.evaluate`, and with attacks that were not trained against.
"""

from kgan.defenses.adversarial_training import AdversarialTraining
from kgan.defenses.defense_gan import DefenseGAN
from kgan.defenses.detection import Detection, DetectionReport, detection_report
from kgan.defenses.detector import Detector
from kgan.defenses.detectors import DETECTORS
from kgan.defenses.evading_pgd import EvadingPGD
from kgan.defenses.feature_squeezing import FeatureSqueezing
from kgan.defenses.generative_adversarial_training import GenerativeAdversarialTraining
from kgan.defenses.interval_training import IntervalTraining
from kgan.defenses.mahalanobis import MahalanobisDetector
from kgan.defenses.methods import METHODS, Method, mart_term, trades_term
from kgan.defenses.overfitting_guard import OverfittingGuard
from kgan.defenses.purification import PurificationReport, purification_report
from kgan.defenses.roc import ROC
from kgan.defenses.training_attacks import DivergencePGD, FastStep

__all__ = [
    "DETECTORS",
    "METHODS",
    "ROC",
    "AdversarialTraining",
    "DefenseGAN",
    "Detection",
    "DetectionReport",
    "Detector",
    "DivergencePGD",
    "EvadingPGD",
    "FastStep",
    "FeatureSqueezing",
    "GenerativeAdversarialTraining",
    "IntervalTraining",
    "MahalanobisDetector",
    "Method",
    "OverfittingGuard",
    "PurificationReport",
    "detection_report",
    "mart_term",
    "purification_report",
    "trades_term",
]
