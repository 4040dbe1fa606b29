"""What `fit` lacks under `MultiWorkerMirroredStrategy` (keras-team/keras#20585)."""

import keras
import tensorflow as tf


class ManyWorkers(keras.Model):
    """A built model that `fit` can train on many workers.

    Keras 3.15 fails there in two places: it averages a distributed batch in order to build the
    model, and it takes the mean of scalar logs along an axis. `train_step` returns its logs through
    `reducible`. Nothing changes under other strategies.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        if not self._spans_workers():
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def reducible(self, logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The logs, each with an axis to take the mean along where Keras does so."""
        if not self._spans_workers():
            return logs
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}

    def _spans_workers(self) -> bool:
        return isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)
