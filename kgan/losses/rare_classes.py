"""Cross-entropy for classes of which some are rare: weights of classes, and adjusted logits."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def effective_weights(counts: Sequence[int] | np.ndarray, *, beta: float = 0.9999) -> np.ndarray:
    """Weights of classes by the effective numbers of their samples.

    A class of n samples gets (1 - beta) / (1 - beta^n), all scaled so that they add up to the
    number of classes. With beta 0 they are all 1; as beta nears 1 they become those of 1 / n.

    Args:
        counts: Samples of each class, (classes,); a class without any gets the weight 0, and the
            others add up to their own number.
        beta: In [0, 1]; 1 stands for the limit.

    Returns:
        float64 (classes,).

    Reference: Cui et al. 2019, equation 12 (arXiv:1901.05555).
    """
    found = np.asarray(counts, np.float64)
    if found.ndim != 1 or not (found >= 0).all() or not found.any():
        raise ValueError(f"counts must be numbers of samples, some above 0, got {counts}.")
    if not 0 <= beta <= 1:
        raise ValueError(f"beta must be in [0, 1], got {beta}.")
    there = found > 0
    n = np.where(there, found, 1.0)
    # 1 - beta^n, without the difference of two nearly equal numbers.
    effective = -np.expm1(n * np.log(beta)) if beta else np.ones_like(n)
    raw = np.where(there, 1.0 / (n if beta == 1 else effective), 0.0)
    return raw * there.sum() / raw.sum()


@keras.saving.register_keras_serializable(package="kgan")
class RareClassCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits, with weights of classes and logits adjusted by their shares.

    The loss of a sample of class y is `weights[y]` times the cross-entropy of `logits +
    adjustment * log(shares)`. A network that is trained so gives, without the adjustment, the
    logits of classes that are equally frequent.

    Args:
        counts: Samples of each class in the training data, (classes,), each at least 1.
        weights: Weight of each class, (classes,), such as from `effective_weights`; by default 1.
        adjustment: 0 for none; 1 is what makes the mean error over classes the least.
        name: Name of the loss.
        **options: As for `keras.losses.Loss`.

    Reference: Menon et al. 2021, equation 10 (arXiv:2007.07314); Cui et al. 2019
    (arXiv:1901.05555).
    """

    def __init__(
        self,
        counts: Sequence[int],
        *,
        weights: Sequence[float] | None = None,
        adjustment: float = 0.0,
        name: str = "rare_class_crossentropy",
        **options: Any,
    ):
        super().__init__(name=name, **options)
        self.counts = [int(one) for one in counts]
        if len(self.counts) < 2 or min(self.counts) < 1:
            raise ValueError(
                f"counts must be of two classes or more, each of a sample at least, got {counts}."
            )
        self.weights = None if weights is None else [float(one) for one in weights]
        if self.weights is not None and len(self.weights) != len(self.counts):
            raise ValueError(
                f"weights must be one for each of the {len(self.counts)} classes, got "
                f"{len(self.weights)}."
            )
        self.adjustment = float(adjustment)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(y_pred, tf.float32)
        labels = tf.reshape(tf.cast(y_true, tf.int32), [-1])
        shares = np.array(self.counts, np.float64) / sum(self.counts)
        moved = logits + tf.constant(self.adjustment * np.log(shares), tf.float32)
        found = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, moved)
        if self.weights is None:
            return found
        return found * tf.gather(tf.constant(self.weights, tf.float32), labels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "counts": self.counts,
            "weights": self.weights,
            "adjustment": self.adjustment,
        }
