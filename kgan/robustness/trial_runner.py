"""Runs the trials of an evaluation on one chunk of the data after the other."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from kgan.attacks.attack import Attack
from kgan.attacks.victim import Victim
from kgan.robustness.chunks import Chunk
from kgan.robustness.results import ResultsFolder, TrialResult, attack_chunk
from kgan.robustness.trials import Trial, plan

Progress = Callable[[int, int | None, str], None]


class TrialRunner:
    """Runs each attack at each radius, and gathers the results.

    What the folder holds of the same model, data and settings is not run again. An attack that
    learns once for a data set is prepared on the first chunk, for all radii.

    Args:
        model: The model under attack.
        attacks: The attacks.
        epsilons: Radii of the balls, ascending.
        n: Number of images in the whole data; `None` for a stream.
        batch_size: Number of images attacked at a time.
        keep: Folder of finished results; `None` stores nothing.
        progress: Function called as `kgan.robustness.evaluate` says.
    """

    def __init__(
        self,
        model: keras.Model | Victim,
        attacks: Sequence[Attack],
        epsilons: Sequence[float],
        *,
        n: int | None,
        batch_size: int,
        keep: str | Path | None = None,
        progress: Progress | None = None,
    ):
        self.model = model
        self.trials = plan(attacks, epsilons)
        self._batch_size = batch_size
        self._folder = ResultsFolder(keep, model)
        self._progress = progress
        self._total = None if n is None else n * len(self.trials)
        self._done = 0
        self._first: Chunk | None = None
        self._prepared: dict[str, Attack] = {}
        self._results: dict[Trial, list[TrialResult]] = {trial: [] for trial in self.trials}

    def run(self, chunk: Chunk) -> None:
        """Attacks a chunk, or reads what was kept of it."""
        if self._first is None:
            self._first = chunk
        shown = chunk.shown
        for trial in self.trials:
            self.tell(str(trial))
            result = self._folder.load(trial, chunk, shown)
            if result is None:
                ready = trial.ready(self._attack(trial.name))
                result = attack_chunk(ready, self.model, chunk, shown, self._batch_size)
                self._folder.save(trial, chunk, shown, result)
            self._results[trial].append(result)
            self._done += len(chunk.labels)

    def results(self) -> dict[Trial, TrialResult]:
        """The result of each trial over all chunks so far."""
        return {trial: TrialResult.join(found) for trial, found in self._results.items()}

    def tell(self, text: str) -> None:
        """Says how much is done, and what comes next."""
        if self._progress:
            self._progress(self._done, self._total, text)

    def _attack(self, name: str) -> Attack:
        if name not in self._prepared:
            assert self._first is not None
            # Prepared once for all radii; the last trial has the largest radius.
            widest = [trial for trial in self.trials if trial.name == name][-1]
            self._prepared[name] = widest.attack.prepared(self.model, self._first.images)
        return self._prepared[name]
