"""Keeps the shares of a table's categories true while a model of it trains."""

import keras

from kgan.history import Logs
from kgan.rows import EncodedRows


class Calibration(keras.callbacks.Callback):
    """Calls `calibrate` of a model of tables at the end of epochs, before it is scored and saved.

    Args:
        rows: The data, from `kgan.networks.TableEncoder.encoded_rows`; `None` for the shares that
            the model's encoder was given.
        every: Number of steps between two calls, as for `MetricMonitor`; the last epoch has one.
        steps_per_epoch: Number of steps in an epoch.
    """

    def __init__(self, rows: EncodedRows | None, *, every: int, steps_per_epoch: int):
        super().__init__()
        self.rows, self.every, self.steps_per_epoch = rows, every, steps_per_epoch

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        last = int(self.model.step.numpy())
        due = last // self.every > (last - self.steps_per_epoch) // self.every
        if due or epoch + 1 == self.params.get("epochs"):
            self.model.calibrate(self.rows)
