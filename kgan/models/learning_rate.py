"""Schedules of learning rates that Keras lacks."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kgan")
class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that stays, and then falls to zero along a line.

    Args:
        learning_rate: The rate of the first part.
        constant_steps: Updates in that part.
        falling_steps: Updates in which it falls; after them it is zero.
    """

    def __init__(self, learning_rate: float, *, constant_steps: int, falling_steps: int):
        super().__init__()
        if constant_steps < 0 or falling_steps < 0 or constant_steps + falling_steps < 1:
            raise ValueError(
                "constant_steps and falling_steps must be at least 0, one of them at least 1, "
                f"got {constant_steps} and {falling_steps}."
            )
        self.learning_rate = learning_rate
        self.constant_steps = constant_steps
        self.falling_steps = falling_steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        left = self.constant_steps + self.falling_steps - step
        share = left / max(self.falling_steps, 1)
        return self.learning_rate * tf.clip_by_value(share, 0.0, 1.0)

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "constant_steps": self.constant_steps,
            "falling_steps": self.falling_steps,
        }
