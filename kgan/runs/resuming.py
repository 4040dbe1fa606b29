"""From which checkpoint a run goes on, where the last one is damaged or gone."""

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kgan.data
import kgan.models
from kgan.counter import steps_done
from kgan.files import remove_left_behind
from kgan.history import read_history
from kgan.runs.run import Run, moved
from kgan.settings import hints
from kgan.settings.groups import Settings

CHECKPOINTS = ("last.keras", "previous.keras", "best.keras")
"""In the order in which they are tried."""


# What the names of runs of other commands than `kgan train` begin with.
_PREFIXES = {"classifier": "classifier-", "hardening": "harden-"}


@contextlib.contextmanager
def finding_data(run: Run | None, settings: Settings) -> Iterator[None]:
    """Within it, an error about data of a run that are not where they were names the remedy.

    Args:
        run: The run to resume; `None` for a new one.
        settings: The settings to resume with.

    Raises:
        FileNotFoundError: In place of an error, where data of the run are gone.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        gone = {} if run is None else _gone(settings)
        if run is None or not gone or gone.keys() & moved(run, settings).keys():
            raise
        name = run.folder.name.removeprefix(_PREFIXES.get(run.family, ""))
        where = hints.flags(settings, "runs_dir")
        words = shlex.join(["--resume", "--name", name, *where])
        flags = " ".join(f"--{one} NEW" for one in gone)
        was = " and ".join(f"{one} {place!r}" for one, place in gone.items())
        raise FileNotFoundError(
            f"{run.folder} was begun with {was}, and nothing is there now. Where it was moved, "
            f"{words} {flags} goes on with the same data in their new place."
        ) from error


def _gone(settings: Settings) -> dict[str, str]:
    """The places of data where nothing is, by the setting."""
    places = {name: getattr(settings, name) for name in sorted(settings.may_move())}
    return {
        name: str(place)
        for name, place in places.items()
        if place is not None
        and not Path(place).expanduser().exists()
        and (isinstance(place, Path) or not kgan.data.is_set(place))
    }


def has_checkpoint(run: Run) -> bool:
    return any((run.checkpoints / name).is_file() for name in CHECKPOINTS)


def restore(model: Any, run: Run) -> str | None:
    """Restores the state that a run goes on from.

    Since every step is a function of the state before it, a run that goes on from an earlier
    checkpoint ends with the weights of one that was never stopped.

    Args:
        model: The run's model, compiled.
        run: The run.

    Returns:
        What the user should know, where it is not the last state; `None` where it is.

    Raises:
        ValueError: Where no checkpoint can be read, although the run had one: nothing is begun
            anew without a word.
    """
    troubles, damaged = [], []
    for name in CHECKPOINTS:
        path = run.checkpoints / name
        if not path.is_file():
            troubles.append(f"no {name}")
            continue
        try:
            kgan.models.restore(model, path)
        except Exception as error:
            # A damaged file fails in whatever reads it: zip, HDF5 or Keras.
            said = " ".join(str(error).split())[:200]
            troubles.append(f"{name} is damaged ({said})")
            damaged.append(path)
            continue
        for one in damaged:
            # Out of the way: the next checkpoint must not make it the one before the last.
            one.replace(one.with_name(f"{one.name}.damaged"))
        if not troubles:
            return None
        return (
            f"{run.checkpoints}: {'; '.join(troubles)}; the run went on from {name}, of step "
            f"{steps_done(model):,}"
        )
    rows = read_history(run.table)
    if len(rows) > 1 or any("damaged" in trouble for trouble in troubles):
        raise ValueError(
            f"{run.checkpoints} has nothing to resume from: {'; '.join(troubles)}. Put back "
            f"last.keras, previous.keras or best.keras, or start a new run without --resume."
        )
    return f"{run.checkpoints} holds no checkpoint yet; the run began at step 0"


def lost_rows(run: Run, done: int, steps: int) -> str | None:
    """What the user should know where a run's table lacks epochs that the run has done.

    Args:
        run: The run.
        done: How many steps are done.
        steps: How many steps an epoch has.
    """
    rows = len(read_history(run.table))
    if rows or done < steps:
        return None
    return (
        f"{run.table} has no row, though {done // steps} epochs are done: what was measured in "
        "them is lost; the training itself goes on as it was"
    )


def clean(run: Run) -> None:
    """Removes what a process that was killed left in the folder of a run, which is locked."""
    for folder in (run.folder, *(path for path in run.folder.iterdir() if path.is_dir())):
        remove_left_behind(folder, all_of_them=True)
