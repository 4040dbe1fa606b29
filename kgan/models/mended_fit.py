"""Mends Keras's `fit` for data of unknown length and for many workers (keras-team/keras#20585)."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Logs = dict[str, tf.Tensor]


class MendedFit(keras.Model):
    """A built model whose steps change nothing unless their batch arrived, also on many workers.

    `fit` learns that data of unknown length (a generator, a filter, a TFRecord file) have ended
    when the next batch does not come. By then TensorFlow has run whatever part of the step does not
    depend on the batch: counters, optimizers' momenta, statistics. Here every part of `train_step`
    and `test_step` depends on it.

    On many workers Keras 3.15 fails in two places: it averages a distributed batch in order to
    build the model, and it takes the mean of scalar logs along an axis.
    """

    def _make_function(self, step_function: Callable[[Any], Logs]) -> Callable:
        def step(data: Any) -> Logs:
            with after(data):
                return self._reducible(step_function(data))

        return super()._make_function(step)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        if not self._spans_workers():
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def _reducible(self, logs: Logs) -> Logs:
        """The logs, each with an axis to take the mean along where Keras does so."""
        if not self._spans_workers():
            return logs
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}

    def _spans_workers(self) -> bool:
        return isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)


def after(data: Any) -> contextlib.AbstractContextManager:
    """A context in which no operation of a graph runs before the tensors of `data` are there."""
    values = tf.nest.flatten(data, expand_composites=True)
    return tf.control_dependencies([value for value in values if tf.is_tensor(value)])
