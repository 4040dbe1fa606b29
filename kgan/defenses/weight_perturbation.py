"""Adversarial weight perturbation: an update with the gradient at the worst nearby weights."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

Found = tuple[tf.Tensor, ...]


def gradients_at_the_worst(
    classifier: keras.Model, objective: Callable[[], Found], gamma: float
) -> tuple[list[tf.Tensor], Found]:
    """The gradients of an objective after its weights have been moved to raise it.

    Each kernel w moves by `gamma * |w|` along its own gradient; biases and scales stay. No variable
    changes but the classifier's statistics, which the pass at the moved weights updates.

    Args:
        classifier: Classifier whose trainable weights are moved.
        objective: Makes a forward pass, in graph mode, and returns a tuple that begins with the
            scalar to minimise.
        gamma: Length of the move, as a share of the kernel's.

    Returns:
        A gradient for each trainable variable, and what `objective` returned at the moved weights.

    Reference:
        Wu et al., "Adversarial weight perturbation helps robust generalization", 2020, section 4.1
        (eq. 10 to 12, one step of ascent).
    """
    weights = [tf.convert_to_tensor(variable) for variable in classifier.trainable_variables]
    ascent, _, _ = _gradients(classifier, objective, weights)
    # Each replica has the gradient of its part of the batch, and all must move alike.
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        context = tf.distribute.get_replica_context()
        ascent = context.all_reduce(tf.distribute.ReduceOp.SUM, ascent)
    moved = [
        weight if weight.shape.rank < 2 else weight + _along(gradient, gamma * tf.norm(weight))
        for weight, gradient in zip(weights, ascent, strict=True)
    ]
    gradients, found, scope = _gradients(classifier, objective, moved)
    for variable in classifier.non_trainable_variables:
        value = scope.get_current_value(variable)
        if value is not None:
            variable.assign(value)
    return gradients, found


def _along(direction: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    return length * direction / tf.maximum(tf.norm(direction), 1e-12)


def _gradients(
    classifier: keras.Model, objective: Callable[[], Found], weights: Sequence[tf.Tensor]
) -> tuple[list[tf.Tensor], Found, keras.StatelessScope]:
    """As if the trainable variables had these values; what the pass assigns stays in the scope."""
    values = list(zip(classifier.trainable_variables, weights, strict=True))
    with (
        tf.GradientTape(watch_accessed_variables=False) as tape,
        keras.StatelessScope(state_mapping=values, collect_losses=True) as scope,
    ):
        tape.watch(weights)
        found = objective()
    gradients = tape.gradient(found[0], weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return gradients, found, scope
