"""Ends training early without loss of progress."""

import math
import signal
import sys

import keras

from kgan.history import Logs

_ADVICE = (
    "Try a lower learning rate, a penalty (--penalty r1) or spectral norm (--spectral), or float32."
)


class NonFiniteGuard(keras.callbacks.Callback):
    """Stops training when a logged value is NaN or infinite, and says what to try.

    Args:
        every: Number of batches between two checks; a check waits for the device.

    Attributes:
        found: The first value that is not finite, as "name=value"; `None` if there is none.
    """

    def __init__(self, *, every: int = 50):
        super().__init__()
        self.every = every
        self.found: str | None = None

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if batch % self.every == 0:
            self._look(logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._look(logs)

    def _look(self, logs) -> None:
        for name, value in (logs or {}).items():
            if not math.isfinite(float(value)) and self.found is None:
                self.found = f"{name}={float(value)}"
                self.model.stop_training = True

    @property
    def message(self) -> str:
        return (
            f"training stopped: {self.found} is not finite; checkpoints of before stay. {_ADVICE}"
        )


class StopOnSignal(keras.callbacks.Callback):
    """Ends training after the current step on Ctrl-C or SIGTERM, so that the state is saved.

    A second Ctrl-C interrupts at once. This works only in the main thread, like all Python signals.

    Attributes:
        stopped: Whether a signal ended the training.
    """

    def __init__(self):
        super().__init__()
        self.stopped = False
        self._previous: dict = {}

    def on_train_begin(self, logs: Logs = None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)

    def on_train_end(self, logs: Logs = None) -> None:
        self.restore()

    def restore(self) -> None:
        """Restores the earlier signal handlers; call it also if `fit` raised an error."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _handle(self, number, frame):
        if self.stopped:
            self.restore()
            raise KeyboardInterrupt
        self.stopped = True
        self.model.stop_training = True
        said = "stopping after this step and its checks; again to stop at once"
        print(f"\n{said}", file=sys.stderr, flush=True)
