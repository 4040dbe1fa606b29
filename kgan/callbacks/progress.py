"""Shows progress: a live bar on a terminal or in a notebook, otherwise lines."""

import time
from collections.abc import Sequence

import keras

from kgan.history import Logs
from kgan.models.growing import is_grown
from kgan.progress import Progress

_REFRESH = 0.25
# Between two lines where there is no terminal.
_SECONDS = 30.0


class ProgressBar(keras.callbacks.Callback):
    """Shows the epoch, the remaining time and the latest logs.

    Where there is nothing to show a bar on, such as in a file, a line is printed for each epoch,
    and one whenever 30 seconds have passed without a line.

    Args:
        epochs: Number of epochs of the whole run.
        first_step: Number of steps done before this call of `fit`, which may be inside an epoch.
        steps: Number of steps in an epoch.
        samples_per_step: Number of real samples in a step, to compute the speed.
        shown: Names of the logs that the line of an epoch shows.
    """

    def __init__(
        self,
        *,
        epochs: int,
        first_step: int,
        steps: int,
        samples_per_step: int,
        shown: Sequence[str] = ("d_loss", "g_loss"),
    ):
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self.shown = shown
        self.samples_per_step = samples_per_step
        self._done = first_step
        self._display: Progress | None = None
        self._last = 0.0

    def on_train_begin(self, logs: Logs = None) -> None:
        total = self.epochs * self.steps
        self._display = Progress(total, done=self._done, counts=True, stays=True, seconds=_SECONDS)
        self._display.update(what="training")
        self._display.start()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._begin = time.perf_counter()
        self._epoch_steps = 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        steps = min(batch + 1, self.steps)
        self._done += steps - self._epoch_steps
        self._epoch_steps = steps
        now = time.perf_counter()
        if self._display is not None and now - self._last > _REFRESH:
            speed = steps * self.samples_per_step / (now - self._begin)
            # The time that is left is reckoned by the steps so far.
            later = "" if is_grown(self.model, self._done) else ", fewer as the networks grow"
            self._display.update(self._done, note=f"{speed:,.0f} samples/s{later}")
            self._last = now

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        values = "  ".join(f"{name} {logs[name]:.3f}" for name in self.shown if name in logs)
        seconds = time.perf_counter() - self._begin
        if self._display is not None:
            self._display.print(
                f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}  "
                f"{values}  {seconds:.1f} s"
            )

    def on_train_end(self, logs: Logs = None) -> None:
        if self._display is not None:
            self._display.update(self._done)
            self._display.stop()
            self._display = None
