"""Accuracy of a classifier that has seen generated data only, on real data."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kgan.labels import class_numbers
from kgan.metrics.checks import check_rows, check_units, check_whole
from kgan.random import check_seed


class ClassificationAccuracy(NamedTuple):
    """Accuracy of training on fakes and testing on real data, and the reverse; in [0, 1]."""

    cas: float
    cas_reverse: float


def classification_accuracy_score(
    classifier: keras.Model | Callable[[], keras.Model],
    train: Any,
    train_labels: Any,
    test: Any,
    test_labels: Any,
    *,
    epochs: int = 10,
    batch_size: int = 128,
    seed: int = 0,
) -> float:
    """Trains on one labelled set and returns the accuracy on the other.

    Trained on generated and tested on real images, it is the classification accuracy score, which
    is low if the generator lacks classes or variety. It sets Keras's global seed to `seed`.

    Args:
        classifier: A compiled Keras classifier, trained in place, or a function that makes one. A
            single output tells two classes apart.
        train: (n, ...) samples.
        train_labels: (n,) whole numbers, classes of the classifier.
        test: (m, ...) samples.
        test_labels: (m,) whole numbers.
        epochs: Passes over `train`.
        batch_size: Samples a step.
        seed: Seed of the initial weights (where a function makes them) and of the order.

    Returns:
        Accuracy in [0, 1].

    Raises:
        ValueError: For labels that are no classes of the classifier, and for one whose outputs are
            not (n, classes).

    Reference: Ravuri and Vinyals 2019 (arXiv:1905.10887), section 3.
    """
    check_whole(epochs, "epochs")
    train_labels = _check_labelled(train, train_labels, "train")
    test_labels = _check_labelled(test, test_labels, "test")
    if np.shape(train)[1:] != np.shape(test)[1:]:
        raise ValueError(
            f"train and test must hold samples of one shape, got {np.shape(train)[1:]} and "
            f"{np.shape(test)[1:]}."
        )
    check_units(train, test, "train and test")
    keras.utils.set_random_seed(check_seed(seed))
    model = classifier if isinstance(classifier, keras.Model) else classifier()
    if not model.compiled:
        raise ValueError("classifier must be compiled, got one without a loss.")
    outputs = tuple(model(np.asarray(train[:1])).shape)
    if len(outputs) != 2:
        raise ValueError(f"classifier must have outputs of shape (n, classes), got {outputs}.")
    for name, labels in (("train_labels", train_labels), ("test_labels", test_labels)):
        class_numbers(labels, len(labels), max(2, outputs[1]), what=name)
    model.fit(train, train_labels, epochs=epochs, batch_size=batch_size, verbose=0)
    predicted = predicted_classes(model, test, batch_size=batch_size)
    return float((predicted == test_labels).mean())


def predicted_classes(model: keras.Model, samples: Any, *, batch_size: int = 256) -> np.ndarray:
    """The class that a compiled classifier takes each sample for, int (n,).

    Of several outputs it is that of the largest. Of a single one it is the class for which the
    classifier's loss is less, whether that takes logits, probabilities or margins.

    Args:
        model: A compiled Keras classifier, with outputs (n, classes) or (n, 1).
        samples: (n, ...) samples.
        batch_size: Samples at a time.
    """
    outputs = model.predict(samples, batch_size=batch_size, verbose=0)
    if outputs.shape[1] > 1:
        return outputs.argmax(axis=1)
    loss = keras.losses.get(keras.tree.flatten(model.loss)[0])
    # A loss's `call`, unlike the loss, gives a value for each sample.
    each = getattr(loss, "call", loss)
    no, yes = (
        np.asarray(each(tf.fill(outputs.shape, label), tf.constant(outputs))).reshape(len(outputs))
        for label in (0.0, 1.0)
    )
    return (yes < no).astype(int)


def classification_accuracy(
    real: tuple[Any, Any],
    fake: tuple[Any, Any],
    *,
    classifier: Callable[[], keras.Model],
    epochs: int = 10,
    batch_size: int = 128,
    seed: int = 0,
) -> ClassificationAccuracy:
    """`classification_accuracy_score` in both directions, each with a new classifier.

    The reverse (GAN-test) says how recognisable the fakes are, and stays high under mode collapse.

    Args:
        real: Real samples and their labels.
        fake: Generated samples and their labels.
        classifier: Function that makes a compiled classifier.
        epochs: Passes over the set that is trained on.
        batch_size: Samples a step.
        seed: As for `classification_accuracy_score`.
    """
    if isinstance(classifier, keras.Model) or not callable(classifier):
        raise TypeError(
            f"classifier must be a function that makes a compiled model, got "
            f"{type(classifier).__name__}; a model trained once is not fresh the second time."
        )
    how = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    return ClassificationAccuracy(
        classification_accuracy_score(classifier, *fake, *real, **how),
        classification_accuracy_score(classifier, *real, *fake, **how),
    )


def _check_labelled(samples: Any, labels: Any, name: str) -> np.ndarray:
    check_rows(samples, name, minimum=1)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != (len(samples),):
        raise ValueError(
            f"{name}_labels must be whole numbers of shape ({len(samples)},), got {labels.dtype} "
            f"of shape {labels.shape}."
        )
    return labels
