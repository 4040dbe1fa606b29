"""The sum of a network's gradients for each record, each one at most as long as a given norm.

Reference: Abadi et al. 2016, algorithm 1 (arXiv:1607.00133).
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kgan.privacy.record_gradients import RecordGradients


def clipped_sum(
    network: keras.Model,
    inputs: Any,
    losses: Callable[[tf.Tensor], tf.Tensor],
    *,
    clip_norm: float,
    mask: tf.Tensor | None = None,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Clips the gradient of each record to `clip_norm`, and adds them up.

    So one record changes the sum by at most `clip_norm`, whatever it is: one whose gradient is not
    finite, or too long for its length to be told, adds nothing.

    Args:
        network: Built network of Keras layers, in float32, whose output for a record depends on
            that record alone; see `refuse_mixing`.
        inputs: What it takes: a tensor (batch, ...) or a list of them.
        losses: Maps its outputs (batch, ...) to the loss of each record (batch,).
        clip_norm: The longest that the gradient of a record may be, over all trainable variables
            together; above 0.
        mask: Which records count, bool (batch,); all where `None`. The others add nothing.

    Returns:
        The sum for each trainable variable, in their order; and the length of each record's
        gradient before it was clipped, float32 (batch,).

    Raises:
        ValueError: For a trainable variable that belongs to no layer of the network, or to one that
            this pass did not call.
    """
    gradients = RecordGradients(network, inputs, losses)
    lengths = gradients.lengths()
    shares = clipped_shares(lengths, clip_norm=clip_norm, mask=mask)
    return gradients.sum(shares), lengths


def clipped_shares(
    lengths: tf.Tensor, *, clip_norm: float, mask: tf.Tensor | None = None
) -> tf.Tensor:
    """The share of each record's gradient that is as long as may be, float32 (batch,) in [0, 1].

    Args:
        lengths: Of the gradients, (batch,).
        clip_norm: As for `clipped_sum`.
        mask: As for `clipped_sum`.
    """
    if not clip_norm > 0:
        raise ValueError(f"clip_norm must be above 0, got {clip_norm}.")
    shares = tf.minimum(1.0, clip_norm / tf.maximum(lengths, 1e-12))
    shares = tf.where(tf.math.is_finite(lengths), shares, 0.0)
    return shares if mask is None else tf.where(mask, shares, 0.0)


def refuse_mixing(network: keras.Model, *, name: str = "network") -> None:
    """Raises for a network in which the output for one record depends on others of its batch.

    Then no record's influence is bounded by a clipped gradient. Batch normalisation and statistics
    of the batch are found by what they do, in training mode, on random inputs.

    Args:
        network: Built network.
        name: What the network is called, for the error.
    """
    kept = [(weight, weight.numpy()) for weight in network.non_trainable_variables]
    one, other = _random_inputs(network, 0), _random_inputs(network, 1)
    mixed = [
        tf.concat([first[:1], second[1:]], 0) for first, second in zip(one, other, strict=True)
    ]

    def first_row(inputs: list[tf.Tensor], training: bool) -> tf.Tensor:
        for weight, value in kept:
            weight.assign(value)
        return network(inputs if len(inputs) > 1 else inputs[0], training=training)[:1]

    try:
        for training in (True, False):
            same = first_row(one, training)
            spread = tf.reduce_max(tf.abs(same)) * 1e-4 + 1e-6
            if tf.reduce_max(tf.abs(same - first_row(one, training))) > spread:
                continue  # Its layers draw: what it does to a batch is seen without training.
            if tf.reduce_max(tf.abs(same - first_row(mixed, training))) > spread:
                raise ValueError(
                    f"{name} must judge each record for itself under differential privacy, and its "
                    "output for one record depends on the others of its batch. Leave out batch "
                    "normalisation and minibatch statistics; layer or group normalisation does."
                )
    finally:
        for weight, value in kept:
            weight.assign(value)


def _random_inputs(network: keras.Model, seed: int) -> list[tf.Tensor]:
    drawn = []
    for number, given in enumerate(network.inputs):
        shape = [4, *(side or 8 for side in given.shape[1:])]
        place = tf.constant([seed, number], tf.int32)
        if "int" in given.dtype:
            drawn.append(tf.zeros(shape, given.dtype))
        else:
            drawn.append(tf.cast(tf.random.stateless_uniform(shape, place), given.dtype))
    return drawn
