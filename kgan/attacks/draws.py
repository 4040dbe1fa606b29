"""The answer of a random model: the most frequent of several, or their mean."""

from collections.abc import Callable

import tensorflow as tf

from kgan.attacks.reading import TINY

DRAWS = 11
"""How often a random model is asked about an image before an answer counts; odd, so no tie."""


def most_frequent(
    logits: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, classes: int
) -> tf.Tensor:
    """The logs of the shares of `DRAWS` answers, so that the largest is the most frequent.

    The shares are smoothed by the mean probabilities, which also part equal shares.

    Args:
        logits: Graph function from images to logits (batch, classes), new at each call.
        images: The images, float32 (batch, ...).
        classes: Number of classes.

    Returns:
        float32 tensor of shape (batch, classes).
    """

    def ask(i: tf.Tensor, counts: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, ...]:
        answer = logits(images)
        votes = tf.one_hot(tf.argmax(answer, axis=1), classes)
        return i + 1, counts + votes, total + tf.nn.softmax(answer)

    zeros = tf.zeros([tf.shape(images)[0], classes])
    _, counts, total = tf.while_loop(lambda i, *_: i < DRAWS, ask, (tf.constant(0), zeros, zeros))
    return tf.math.log(tf.maximum((counts + total / DRAWS) / (DRAWS + 1), TINY))


def mean_answer(outputs: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor) -> tf.Tensor:
    """The mean of `DRAWS` answers, for models whose answers are no classes.

    Args:
        outputs: Graph function from images to outputs (batch, ...), new at each call.
        images: The images, float32 (batch, ...).
    """

    def ask(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return i + 1, total + outputs(images)

    _, total = tf.while_loop(lambda i, _: i < DRAWS - 1, ask, (tf.constant(0), outputs(images)))
    return total / DRAWS
