"""The loop around `fit`: a run folder, exact resume, signals, workers, and the export."""

import contextlib
import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import keras

import kgan.callbacks
import kgan.data
import kgan.distribution
import kgan.export
import kgan.models
from kgan.counter import steps_done
from kgan.files import locked
from kgan.history import read_history
from kgan.names import printable
from kgan.recipes import Recipe
from kgan.runs import faults, outputs, resuming
from kgan.runs.run import Run, check_same_data, moved
from kgan.runs.start import follow, start_from

# Settings that say where files are written.
_OUTPUTS = ("runs_dir", "export_dir", "classifiers_dir")


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        run: The run of the training.
        recipe: The recipe that made and trained the model.
        model: The model in its last state.
        data: The training data, from `recipe.data()`.
        callbacks: The callbacks that the training used.
    """

    run: Run
    recipe: Recipe
    model: Any
    data: Any
    callbacks: Sequence[keras.callbacks.Callback]


Finish = Callable[[Trained], int]


def train(
    recipe: Recipe,
    *,
    name: str,
    finish: Finish,
    model_name: str | None = None,
    preset: str | None = None,
    run: Run | None = None,
    kept: Iterable[str] | None = None,
) -> int:
    """Trains a model in a run folder.

    Args:
        recipe: The recipe, with its settings, that makes the model.
        name: Name of a new run.
        finish: Function that gets the finished training and returns the exit code.
        model_name: Name under which the run exports its model; by default the name of the run.
        preset: Name of the preset that the settings started from, or `None`.
        run: The run to resume, or `None` to start a new one.
        kept: Names of the settings that the user chose for a new run. The data choose the others
            of the preset `auto`, and with other presets the batch alone. `None` leaves all alone,
            and of `auto` what is not as the preset has it.

    Returns:
        The exit code of `finish`, or 130 if a signal ended the training; its state is saved then.

    Raises:
        ValueError: If a run is to be resumed with settings that the data would choose anew.
    """
    if run is None:
        if kept is not None:
            recipe.choose(kept)
        if recipe.settings.chosen_by_data and recipe.settings.init_from is not None:
            follow(recipe, recipe.settings.init_from)
    elif recipe.settings.chosen_by_data:
        raise ValueError(
            f"the settings of {run.folder} were chosen when it began and must stay: resume it with "
            "run.settings(GANSettings), not with those of the preset auto."
        )
    strategy = kgan.distribution.get(recipe.settings.strategy)
    if kgan.distribution.is_chief(strategy):
        _check_places(recipe.settings, model_name or (run.model if run else name))
    with resuming.finding_data(run, recipe.settings):
        data = recipe.data()
    settled = recipe.settle(data, replicas=strategy.num_replicas_in_sync)
    steps = recipe.steps_per_epoch(data)
    with strategy.scope():
        model = recipe.model(data)
    fingerprint = data.fingerprint()
    note = None
    if run is not None:
        changes = moved(run, recipe.settings)
        check_same_data(run, fingerprint, moved=changes)
        if kgan.distribution.is_chief(strategy):
            for setting, (before, now) in changes.items():
                print(printable(f"{setting}: the same data, {now} in place of {before}"))
    if run is None or not resuming.has_checkpoint(run):
        source = getattr(recipe.settings, "init_from", None)
        told = [] if source is None else [start_from(model, source)]
        for line in (*told, *recipe.begin(model, data)):
            if kgan.distribution.is_chief(strategy):
                print(line)
    identity = {"model": model_name, "preset": preset, "data": fingerprint}
    if kgan.distribution.is_chief(strategy):
        with contextlib.ExitStack() as stack:
            if run is not None:
                stack.enter_context(_locked(run))
                resuming.clean(run)
                note = resuming.restore(model, run)
                lost = resuming.lost_rows(run, steps_done(model), steps)
                note = "; ".join(filter(None, (note, lost))) or None
            own = _begun(recipe, name, identity, run)
            if run is None:
                stack.enter_context(_locked(own))
            for line in settled:
                print(line)
            if note:
                print(f"note: {note}", file=sys.stderr, flush=True)
            code = _fit_and_finish(own, recipe, data, steps, model, finish, anew=run is None)
            if note:
                # Said again where it is seen: the first time has scrolled away.
                print(f"note: {note}", file=sys.stderr, flush=True)
            return code
    if run is not None:
        resuming.restore(model, run)
    # Some variables can be read only by all workers together, so each worker does the same as the
    # chief, but only the chief's files are kept.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        scratch = Path(folder)
        places = {name: scratch / name for name in _OUTPUTS if hasattr(recipe.settings, name)}
        recipe.settings = dataclasses.replace(recipe.settings, **places)
        own = _begun(recipe, name, identity, None)
        # Every worker needs the files that decide on the best state and on stopping.
        for file in () if run is None else ("metrics.csv", "checkpoints/best.keras"):
            if run is not None and (run.folder / file).is_file():
                (own.folder / file).parent.mkdir(exist_ok=True)
                shutil.copy(run.folder / file, own.folder / file)
        return _fit_and_finish(own, recipe, data, steps, model, finish, anew=True)


def _check_places(settings: Any, model_name: str) -> None:
    """Raises where the end of the training could not write what it is to leave."""
    outputs.check_folder("runs_dir", settings.runs_dir)
    if getattr(settings, "export", False):
        outputs.check_export(settings.export_dir / model_name, settings.family)
    if hasattr(settings, "classifiers_dir"):
        outputs.check_file("classifiers_dir", settings.classifiers_dir / f"{model_name}.keras")


@contextlib.contextmanager
def _locked(run: Run) -> Iterator[None]:
    """Keeps other processes from training the same run meanwhile."""
    try:
        with locked(run.folder):
            yield
    except BlockingIOError:
        raise ValueError(
            f"{run.folder} is being trained by another process: wait for its end, or start a new "
            "run without --resume."
        ) from None


def _begun(recipe: Recipe, name: str, identity: Mapping[str, Any], run: Run | None) -> Run:
    """The new or resumed run, with its settings written into its folder."""
    if run is None:
        return Run.new(recipe.settings.runs_dir, name, recipe.settings, **identity)
    return run.saved(recipe.settings, data=identity["data"])


def _fit_and_finish(
    run: Run, recipe: Recipe, data: Any, steps: int, model: Any, finish: Finish, *, anew: bool
) -> int:
    """Trains; the traceback of a fault is kept in the run's folder."""
    done = steps_done(model)
    try:
        try:
            callbacks = recipe.callbacks(data, run.folder, steps, first_step=done)
            space = outputs.check_space(model, run.folder)
        except BaseException:
            if anew:
                # A training that was refused leaves no folder.
                run.discard()
            raise
        for line in recipe.describe(data, model):
            print(printable(line))
        print(printable(f"run folder {run.folder}: {space}"))
        if done:
            print(_where(done, steps, recipe.epochs))
        if fit(model, recipe, data, steps, callbacks):
            return finish(Trained(run, recipe, model, data, callbacks))
    except Exception as error:
        if not faults.is_mistake(error) and run.folder.is_dir():
            faults.keep(error, run.folder)
        raise
    total = recipe.epochs * steps
    stopped = f"stopped at step {steps_done(model)} of {total}; the state is in {run.checkpoints}."
    print(printable(stopped))
    print("continue with the same command and --resume")
    print(f"or export what there is: kgan export {quote(str(run.folder))}")
    return 130


def _where(done: int, steps: int, epochs: int) -> str:
    """Where a resumed training begins, in a line."""
    if done < epochs * steps:
        return f"resuming at step {done:,}"
    whole = done // steps
    noun = "epoch is" if whole == 1 else "epochs are"
    return f"{whole:,} {noun} done, to step {done:,}: nothing is left of {epochs:,}"


def export_model(trained: Trained) -> int:
    """Exports the trained model if the settings ask for it, and prints where the files are."""
    settings = trained.recipe.settings
    version = None
    if settings.export:
        version = export(trained.run, trained.model, trained.data, settings.export_dir)
    _tell_what_is_where(trained.run, trained.recipe, version)
    return 0


def fit(
    model: Any,
    recipe: Recipe,
    data: Any,
    steps: int,
    callbacks: list[keras.callbacks.Callback],
) -> bool:
    """Trains from the present step of the model to the last step.

    Ctrl-C and SIGTERM end the training after the current step.

    Args:
        model: A compiled model, whose own step counter tells the present step.
        recipe: The recipe, which gives the batches from any step on.
        data: The training data, from `recipe.data()`.
        steps: Number of steps in an epoch.
        callbacks: The callbacks, from `recipe.callbacks`.

    Returns:
        Whether the training is complete; `False` if a signal ended it.

    Raises:
        FloatingPointError: If a logged value was not finite.
    """
    guard = next(c for c in callbacks if isinstance(c, kgan.callbacks.NonFiniteGuard))
    signals = kgan.callbacks.StopOnSignal()
    # Several workers would not stop at the same step. So a signal ends them at once, and they
    # resume from the last checkpoint.
    alone = not kgan.distribution.spans_workers(model.distribute_strategy)
    endings = [signals] if alone else []
    epochs = recipe.epochs
    done = steps_done(model)
    try:
        # A run that was stopped inside an epoch first finishes that epoch.
        while done < epochs * steps and not model.stop_training:
            epoch, inside = divmod(done, steps)
            model.fit(
                _fed(recipe, data, done, model.distribute_strategy),
                initial_epoch=epoch,
                epochs=epoch + 1 if inside else epochs,
                steps_per_epoch=steps - inside,
                callbacks=[*callbacks, *endings],
                shuffle=False,
                verbose=0,
            )
            before, done = done, steps_done(model)
            if done == before:
                raise RuntimeError(f"fit made no step from step {done} on.")
    finally:
        signals.restore()
    if guard.found and not any(getattr(one, "rolled_back", False) for one in callbacks):
        raise FloatingPointError(guard.message)
    return not signals.stopped


def _fed(recipe: Recipe, data: Any, start: int, strategy: Any) -> Any:
    """The batches from a step on; of several workers each reads its own part of them alone."""
    replicas = strategy.num_replicas_in_sync
    whole = recipe.samples_per_step() % replicas or not recipe.feeds_parts
    if whole or not kgan.distribution.spans_workers(strategy):
        return recipe.feed(data, start=start)

    feed: Any = recipe.feed

    def own(context: Any) -> Any:
        workers = context.num_input_pipelines
        part = kgan.data.Part(context.input_pipeline_id, workers, replicas // workers)
        return feed(data, start=start, part=part)

    return strategy.distribute_datasets_from_function(own)


def export(run: Run, model: Any, data: Any, folder: Path) -> Path:
    """Exports the run's best or last state as the next version of the run's model.

    A state that the run has exported already is not exported again.

    Returns:
        The folder of the version.
    """
    if run.exported_checkpoint() == "best":
        kgan.models.restore(model, run.checkpoints / "best.keras")
        print(f"exporting the best checkpoint, of step {steps_done(model):,}")
    step = steps_done(model)
    for version in kgan.export.versions.folders(folder / run.model).values():
        if run.id is not None and _exported(version) == (run.id, step):
            print(f"exported already: step {step:,} is {version}")
            return version
    before = kgan.export.versions.newest(folder / run.model)
    version = kgan.export.export(
        model,
        folder / run.model,
        class_names=data.class_names,
        origin=origin(run, step),
    )
    if before is not None and _exported(before)[0] not in (None, run.id):
        told = (
            f"{before} is of another run: a server answers with version {version.name} from now on"
        )
        print(printable(told))
    return version


def _exported(version: Path) -> tuple[Any, Any]:
    """Which run a version is of, and of which step."""
    try:
        manifest = kgan.export.manifest.read(version)
    except ValueError:
        return None, None
    return manifest["run"], manifest["step"]


def origin(run: Run, step: int) -> dict[str, Any]:
    """The origin of an exported model, for its manifest."""
    scores = [row for row in read_history(run.table) if row.get("step") == step]
    return {
        "run": run.id,
        "preset": run.preset,
        "data": run.values.get("data"),
        "step": step,
        "scores": scores[-1] if scores else None,
        "config": dict(run.values),
    }


def _tell_what_is_where(run: Run, recipe: Recipe, version: Path | None) -> None:
    print("\ndone")
    rows = [
        ("samples of each epoch", run.folder / "samples"),
        ("as an animation", run.folder / "samples" / "animation.gif"),
        ("losses and scores", run.table),
        ("checkpoints", run.checkpoints),
    ]
    if version is not None:
        rows.append(("exported model", version))
    for what, where in rows:
        print(f"  {what:<24}{where}")
    print("next")
    for line in recipe.next_steps(run.folder, version):
        print(f"  {line}")
