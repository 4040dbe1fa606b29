"""Making classifiers robust.

    training = kgan.defenses.AdversarialTraining(classifier, method="fast", epsilon=0.3)
    training.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    training.fit(images, labels, batch_size=100, epochs=10)
    classifier.save("hardened.keras")     # The plain model it was, with other weights.

A classifier that is not trained again can be given images that a generator has purified:

    defense = kgan.defenses.DefenseGAN(gan, classifier)
    print(kgan.defenses.purification_report(defense, images, labels, attack=PGD(0.3)))

Evaluate the result with `kgan.robustness.evaluate`, and with attacks that were not trained against.
"""

from kgan.defenses.adversarial_training import AdversarialTraining
from kgan.defenses.defense_gan import DefenseGAN
from kgan.defenses.generative_adversarial_training import GenerativeAdversarialTraining
from kgan.defenses.interval_training import IntervalTraining
from kgan.defenses.methods import METHODS, Method, mart_term, trades_term
from kgan.defenses.overfitting_guard import OverfittingGuard
from kgan.defenses.purification import PurificationReport, purification_report
from kgan.defenses.training_attacks import DivergencePGD, FastStep

__all__ = [
    "METHODS",
    "AdversarialTraining",
    "DefenseGAN",
    "DivergencePGD",
    "FastStep",
    "GenerativeAdversarialTraining",
    "IntervalTraining",
    "Method",
    "OverfittingGuard",
    "PurificationReport",
    "mart_term",
    "purification_report",
    "trades_term",
]
