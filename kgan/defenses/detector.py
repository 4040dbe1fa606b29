"""Detectors of adversarial images: a score for each image, and the threshold of an alarm."""

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.attack_run import pad
from kgan.attacks.checks import check_count, check_images
from kgan.attacks.victim import Victim


class Detector(abc.ABC):
    """Base of the detectors. A subclass gives `score`, in graph mode and with a gradient.

    A detector alone proves little: an attacker who knows of it makes images that fool the
    classifier and do not raise the alarm. So a detector is judged by
    `kgan.defenses.detection_report`, which always makes such an attack beside the one that does not
    know.

    Args:
        classifier: A Keras classifier of images in [0, 1], or a `kgan.attacks.Victim`.
    """

    def __init__(self, classifier: keras.Model | Victim):
        if not isinstance(classifier, keras.Model | Victim):
            raise TypeError(
                f"classifier must be a keras.Model or a Victim, got {type(classifier).__name__}."
            )
        if isinstance(classifier, Victim) and classifier.black_box:
            raise TypeError(
                f"classifier must be a keras.Model, got the function {classifier.name}."
            )
        self.classifier = classifier
        self.victim = classifier if isinstance(classifier, Victim) else Victim(classifier)
        """The classifier, for attacks on it; `ready` for images before `score` is called."""

    @abc.abstractmethod
    def score(self, images: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """How suspicious images are; the more, the larger.

        Args:
            images: float32 (batch, ...) in [0, 1], in graph mode.
            logits: The classifier's logits for them, float32 (batch, classes).

        Returns:
            float32 (batch,), with a gradient that leads to images that are less suspicious.
        """

    def views(self, images: tf.Tensor) -> list[tf.Tensor]:
        """The images whose answers `score` compares with that to the image; none by default.

        Args:
            images: float32 (batch, ...) in [0, 1], in graph mode.

        Returns:
            Tensors of the same shape, with a gradient for an attacker who knows of them.
        """
        return []

    @property
    def is_fitted(self) -> bool:
        """Whether the detector is ready; one that learns must `fit` first."""
        return True

    def check_fitted(self) -> None:
        """Raises `ValueError` for a detector that is not fitted yet."""
        if not self.is_fitted:
            raise ValueError(f"{self!r} is not fitted yet: fit(train_images, train_labels).")

    def scores(self, images: Any, *, batch_size: int = 256) -> np.ndarray:
        """The scores of any number of images in [0, 1], float32 (n,)."""
        self.check_fitted()
        images = check_images(images)
        check_count("batch_size", batch_size)
        victim = self.victim.ready(images)
        key = ("score", id(self), images.shape[1:])
        if key not in victim.functions:

            @tf.function(
                autograph=False,
                input_signature=[tf.TensorSpec([None, *images.shape[1:]], tf.float32)],
            )
            def score(images):
                return self.score(images, victim.logits(images))

            victim.functions[key] = score
        found = np.empty(len(images), np.float32)
        for start in range(0, len(images), batch_size):
            rows = np.arange(start, min(start + batch_size, len(images)))
            padded = tf.constant(images[pad(rows, batch_size)])
            found[rows] = victim.functions[key](padded).numpy()[: len(rows)]
        return found

    def threshold(self, images: Any, *, false_alarms: float = 0.05, batch_size: int = 256) -> float:
        """The score that at most this share of clean images exceeds.

        Args:
            images: Clean images, not those that the detector is judged on.
            false_alarms: In [0, 1).
            batch_size: Number of images at a time.
        """
        if not 0.0 <= false_alarms < 1.0:
            raise ValueError(f"false_alarms must be a share in [0, 1), got {false_alarms}.")
        found = self.scores(images, batch_size=batch_size)
        if not len(found):
            raise ValueError("images must not be empty.")
        return float(np.quantile(found, 1.0 - false_alarms, method="higher"))

    def detect(self, images: Any, threshold: float, *, batch_size: int = 256) -> np.ndarray:
        """Which images score above `threshold`, bool (n,)."""
        return self.scores(images, batch_size=batch_size) > threshold
