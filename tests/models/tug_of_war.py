"""The smallest model of two players whose every update can be written down."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from kgan.models import Players


@keras.saving.register_keras_serializable(package="tests")
class TugOfWar(Players):
    """A judge `j x` and a mover `m x`, each one number; the mover may have a coach `c x`.

    The judge minimises mean((j x - 1)^2) + mean((j m x)^2), the mover mean((j m x - 1)^2), with the
    judge of after its update; the coach mean((c x - 2)^2).
    """

    optimizers: ClassVar = {
        "judge_optimizer": ("judge",),
        "mover_optimizer": ("mover",),
        "coach_optimizer": ("coach",),
    }
    logs = ("judge_loss", "mover_loss")

    def __init__(self, judge, mover, coach=None, **options):
        super().__init__(**options)
        self.judge, self.mover, self.coach = judge, mover, coach
        self._start()

    def train_step(self, samples):
        with tf.GradientTape() as tape:
            moved = self.mover(samples, training=True)
        self._minimise("judge_optimizer", lambda: self._judge_losses(samples, moved))
        self._minimise("mover_optimizer", lambda: self._mover_loss(moved), through=(moved, tape))
        if self.coach is not None:
            self._minimise("coach_optimizer", lambda: tf.square(self.coach(samples) - 2.0))
        return self._end_step()

    def test_step(self, samples):
        self._judge_losses(samples, self.mover(samples))
        return self._result("judge_loss")

    def _judge_losses(self, samples, moved):
        losses = tf.square(self.judge(samples) - 1.0), tf.square(self.judge(moved))
        self._log(judge_loss=sum(losses))
        return losses

    def _mover_loss(self, moved):
        loss = tf.square(self.judge(moved) - 1.0)
        self._log(mover_loss=loss)
        return loss


def number(value, dtype="float32"):
    """A network that multiplies by one trainable number."""
    start = keras.initializers.Constant(value)
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer=start, dtype=dtype)
    return keras.Sequential([keras.Input((1,)), layer])


def tug_of_war(optimizer, *, coach=False, dtype="float32", **options):
    """A compiled one; `optimizer` makes an optimizer."""
    model = TugOfWar(number(0.5, dtype), number(-2.0, dtype), number(1.0, dtype) if coach else None)
    names = ("judge_optimizer", "mover_optimizer", *(("coach_optimizer",) if coach else ()))
    model.compile(**{name: optimizer() for name in names}, **options)
    return model


def samples(n=8):
    return np.random.default_rng(0).uniform(0.5, 1.5, (n, 1)).astype(np.float32)
