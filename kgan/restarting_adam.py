"""Adam that begins anew at each phase of networks that grow."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("kgan")
class RestartingAdam(keras.optimizers.Adam):
    """Adam whose moments and bias correction begin anew every so many updates.

    Layers that enter a network have had no gradient so far. By Adam's moments as they are then,
    their first updates would be up to 1 / sqrt(1 - beta_2) times as long as its first ones.

    It goes by its own updates. A `LossScaleOptimizer` around it (float16) leaves out those whose
    gradients overflow, so there it begins anew by so many steps after the phases.

    Args:
        learning_rate: As for Adam; its schedule does not begin anew.
        every: Updates from one beginning to the next, at least 1.
        until: The update from which on it goes on for good, a multiple of `every`.
        **options: Adam's others, without `amsgrad`.

    Raises:
        ValueError: For other numbers, and with `amsgrad`.

    Reference: Karras et al. 2018 (arXiv:1710.10196), whose code does so wherever a size begins to
    fade in or has done so.
    """

    def __init__(
        self, learning_rate: Any = 1e-3, *, every: int, until: int, **options: Any
    ) -> None:
        super().__init__(learning_rate, **options)
        if self.amsgrad:
            raise ValueError("amsgrad must be False: its largest moments would not begin anew.")
        if every < 1 or until < 0 or until % every:
            raise ValueError(f"every must be at least 1 and divide until, got {every} and {until}.")
        self.every, self.until = every, until

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        begun = ops.minimum(self.iterations // self.every * self.every, self.until)
        age = self.iterations - begun
        index = self._get_variable_index(variable)
        for moments in (self._momentums[index], self._velocities[index]):
            self.assign(moments, ops.where(age > 0, moments, ops.zeros_like(moments)))
        # Adam corrects for all its updates.
        other = self._correction(age) / self._correction(self.iterations)
        super().update_step(gradient, variable, ops.cast(learning_rate, other.dtype) * other)

    def _correction(self, updates: tf.Tensor) -> tf.Tensor:
        """The factor of the learning rate that makes up for moments which began with 0."""
        count = ops.cast(updates + 1, "float32")
        first, second = (1.0 - ops.power(float(beta), count) for beta in (self.beta_1, self.beta_2))
        return ops.sqrt(second) / first

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "every": self.every, "until": self.until}
