"""A detector of images whose features are far from those of every class."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.checks import check_images
from kgan.attacks.victim import Victim
from kgan.defenses.detector import Detector
from kgan.labels import class_numbers


class MahalanobisDetector(Detector):
    """The smallest Mahalanobis distance of an image's features to the mean of a class.

    The features of each class are taken for Gaussian, with a mean of its own and one covariance for
    all (`fit`). The score is `min_c (f - m_c)^T S^-1 (f - m_c)`: minus twice the log density of the
    nearest class, up to a constant.

    Args:
        classifier: A functional or Sequential Keras classifier, or a `kgan.attacks.Victim` of one.
        layer: Name of the layer whose outputs are the features, flattened (maps of features are
            averaged over their pixels); by default the last one before the last dense layer.
        ridge: Share of the mean variance that is added to each variance, which keeps the inverse
            finite where features never change.

    Reference: Lee et al. 2018, "A simple unified framework for detecting out-of-distribution
    samples and adversarial attacks", equations 1 and 2 (one layer, without input preprocessing).
    """

    def __init__(
        self, classifier: keras.Model | Victim, *, layer: str | None = None, ridge: float = 1e-3
    ):
        super().__init__(classifier)
        if not ridge >= 0:
            raise ValueError(f"ridge must be at least 0, got {ridge}.")
        self.layer, self.ridge = layer, float(ridge)
        model = classifier.model if isinstance(classifier, Victim) else classifier
        self._features = _features_of(model, layer)
        self.means: np.ndarray | None = None
        self.precision: np.ndarray | None = None

    def fit(self, images: Any, labels: Any, *, batch_size: int = 256) -> "MahalanobisDetector":
        """Measures the classes' means and their common covariance.

        Args:
            images: Clean training images, float32 (n, ...) in [0, 1].
            labels: Their classes: integers, a column, or one-hot; each class at least once.
            batch_size: Number of images at a time.

        Returns:
            The detector itself.
        """
        images = check_images(images)
        victim = self.victim.ready(images[:2])
        classes = class_numbers(labels, len(images), victim.classes)
        counts = np.bincount(classes, minlength=victim.classes)
        if counts.min() == 0:
            missing = np.flatnonzero(counts == 0).tolist()
            raise ValueError(f"images must have every class, got none of {missing}.")
        function = tf.function(
            self._of,
            autograph=False,
            input_signature=[tf.TensorSpec([None, *images.shape[1:]], tf.float32)],
        )
        features = np.concatenate(
            [
                function(tf.constant(images[at : at + batch_size])).numpy()
                for at in range(0, len(images), batch_size)
            ]
        ).astype(np.float64)
        means = np.stack([features[classes == c].mean(axis=0) for c in range(victim.classes)])
        rest = features - means[classes]
        covariance = rest.T @ rest / len(rest)
        variance = np.trace(covariance) / len(covariance)
        covariance += max(self.ridge * variance, 1e-12) * np.eye(len(covariance))
        self.means, self.precision = means, np.linalg.inv(covariance)
        # What was compiled holds the numbers of an earlier fit.
        victim.functions.clear()
        return self

    @property
    def is_fitted(self) -> bool:
        return self.means is not None

    def score(self, images: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        self.check_fitted()
        away = self._of(images)[:, None] - tf.constant(self.means, tf.float32)
        precision = tf.constant(self.precision, tf.float32)
        return tf.reduce_min(tf.reduce_sum((away @ precision) * away, axis=2), axis=1)

    def _of(self, images: tf.Tensor) -> tf.Tensor:
        """The features of images in [0, 1], float32 (batch, features)."""
        with keras.StatelessScope():
            found = self._features(self.victim.intake(images), training=False)
        found = tf.cast(found, tf.float32)
        if found.shape.rank == 4:
            found = tf.reduce_mean(found, axis=(1, 2))
        return tf.reshape(found, [tf.shape(found)[0], int(np.prod(found.shape[1:]))])

    def __repr__(self) -> str:
        return f"MahalanobisDetector(layer={self.layer!r}, ridge={self.ridge:g})"


def _features_of(model: keras.Model, layer: str | None) -> keras.Model:
    """The model up to the features."""
    try:
        inputs, layers = model.inputs, model.layers
        known = {one.name: one for one in layers}
        if not inputs:
            raise ValueError
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"classifier {model.name} must be a built functional or Sequential model, so that its "
            "features can be read."
        ) from error
    if layer is not None:
        if layer not in known:
            raise ValueError(f"layer must be one of {', '.join(known)}, got {layer!r}.")
        return keras.Model(inputs, known[layer].output)
    dense = [one for one in layers if isinstance(one, keras.layers.Dense)]
    if not dense:
        raise ValueError(f"layer must be given: {model.name} has no dense layer to stop before.")
    return keras.Model(inputs, dense[-1].input)
