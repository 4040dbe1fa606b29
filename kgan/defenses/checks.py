"""What adversarial training asks of a classifier, its loss and its labels."""

from typing import Any

import keras
import tensorflow as tf

from kgan.attacks import head as heads
from kgan.attacks.victim import Victim
from kgan.models.batches import labels_of, require


def check_classifier(classifier: keras.Model | Victim) -> keras.Model:
    """The model to train; raises where there is none: no Keras model, or one without weights."""
    if isinstance(classifier, Victim):
        if classifier.black_box:
            raise TypeError(
                f"classifier must be a keras.Model, got the function {classifier.name}."
            )
        if classifier.intake.whole:
            raise ValueError(
                f"classifier {classifier.name} takes whole numbers, which no gradient passes: make "
                "it anew with a float32 input to train it."
            )
        if classifier.held is not None or not classifier.criterion.borders:
            raise ValueError(
                f"classifier {classifier.name} must take images alone and name one class, got "
                f"input={classifier.declared['input']!r}, {classifier.criterion!r}."
            )
        classifier = classifier.model
    if not isinstance(classifier, keras.Model):
        raise TypeError(f"classifier must be a keras.Model, got {type(classifier).__name__}.")
    if not classifier.built:
        raise ValueError(
            f"classifier {classifier.name} has no weights yet. Call it on a batch of images, "
            "or give a Sequential model a keras.Input."
        )
    return classifier


def check_trainable(classifier: keras.Model) -> None:
    """Raises `ValueError` where a training would change nothing."""
    if not classifier.trainable_variables:
        raise ValueError(
            f"classifier {classifier.name} must have something to train, got only what is frozen: "
            "set trainable = True, and compile again."
        )


def check_loss(loss: Any, victim: Victim) -> None:
    """Raises where a cross-entropy takes the classifier's logits for probabilities, or reverse."""
    takes = heads.told_by_loss(loss)
    gives = "logits" if victim.head == "logits" else "probabilities"
    if takes in ("logits", "probabilities") and takes != gives:
        flag = gives == "logits"
        raise ValueError(
            f"loss must be compiled with from_logits={flag}, such as "
            f"keras.losses.SparseCategoricalCrossentropy(from_logits={flag}): "
            f"{victim.name} ends in {victim.head}."
        )


def class_indices(labels: tf.Tensor, victim: Victim) -> tf.Tensor:
    """The class of each image, that the attack is to leave, int32 (batch,).

    Args:
        labels: Integers, a column, or one-hot rows; soft ones are taken by their largest, and those
            of a single output by the nearer class.
        victim: The classifier.

    Raises:
        ValueError: For labels that name no class, or several. For their values, when the graph
            runs.
    """
    labels = tf.convert_to_tensor(labels)
    if victim.binary and labels.dtype.is_floating:
        values = tf.reshape(tf.cast(labels, tf.float32), [-1])
        shares = tf.reduce_all((values >= 0.0) & (values <= 1.0))
        values = require(
            values, shares, "labels of a single output must be 0 and 1, or between, got", values
        )
        return tf.cast(values > 0.5, tf.int32)
    if labels.shape.rank == 2 and labels.shape[1] == victim.classes:
        rows = tf.cast(labels, tf.float32)
        one = tf.reduce_all(tf.abs(tf.reduce_sum(rows, axis=1) - 1.0) < 0.01)
        rows = require(
            rows,
            one,
            "labels must name one class for each image, as rows with the sum 1 do, got",
            rows[:1],
        )
        return tf.argmax(rows, axis=1, output_type=tf.int32)
    return labels_of(labels, victim.classes)
