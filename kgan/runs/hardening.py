"""Hardens a classifier in a run folder and compares it with the classifier before."""

import datetime
import functools
import hashlib
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

import kgan.data
from kgan.attacks import Victim
from kgan.defenses import OverfittingGuard
from kgan.history import read_history
from kgan.names import one_line, printable
from kgan.recipes.classifier import ClassifierRecipe
from kgan.recipes.hardening import HardeningRecipe
from kgan.robustness.comparison import Comparison, compare, tell, write
from kgan.robustness.comparison_page import write_comparison_page
from kgan.runs import resuming, tested_on
from kgan.runs.classifier_file import (
    check_fit,
    check_model_range,
    declared,
    load_classifier,
    new_name,
)
from kgan.runs.classifying import fakes_of, save
from kgan.runs.run import Run
from kgan.runs.training import Trained, train
from kgan.settings import HardeningSettings, hints

# linf radius above which a change of a photograph is plain to see.
_COLOUR = 16 / 255


def harden(
    settings: HardeningSettings,
    *,
    name: str,
    preset: str | None = None,
    run: Run | None = None,
    kept: Iterable[str] | None = None,
    command: str = "",
) -> int:
    """Hardens a classifier, saves it, and reports its robustness before and after.

    Args:
        settings: The settings that the user chose.
        name: Name of a new run, "harden-NAME"; the hardened classifier is
            `classifiers_dir/NAME.keras`, or with a number where there is such a file already.
        preset: Name of the preset that the settings started from, or `None`.
        run: The run to resume, or `None` to start a new one.
        kept: Names of the settings that the user chose, as for `kgan.runs.training.train`.
        command: The command as it was typed, for the report.

    Returns:
        The exit code: 0, or 130 if a signal ended the training.
    """
    short = run.model if run else name.removeprefix("harden-")
    target = settings.classifiers_dir / f"{short}.keras"
    source = None if settings.model is None else settings.model.expanduser()
    if source is not None and target.resolve() == source.resolve():
        raise ValueError(f"name must differ from the model's: {target} would be overwritten.")
    if run is None:
        short = new_name(settings.classifiers_dir, short, data=None)
    recipe = HardeningRecipe(settings, start=_start(settings), fakes=fakes_of(settings))
    with resuming.finding_data(run, settings):
        data = recipe.splits[0]
    if source is not None:
        check_fit(source, recipe.start, data)
        # New weights say nothing of the range; those of the file do.
        given = declared(load_classifier(source), settings) if settings.fresh else recipe.start
        check_model_range(given, data)
    if data.sample_shape[-1] == 3 and settings.norm == "linf" and settings.epsilon > _COLOUR:
        print(f"note: epsilon {settings.epsilon:.3g} is large for colour images; 8/255 is usual")
    finish = functools.partial(_finish, command=command)
    return train(
        recipe, name=name, model_name=short, preset=preset, run=run, kept=kept, finish=finish
    )


def _start(settings: HardeningSettings) -> keras.Model | Victim | None:
    """The given model, or its architecture with new weights; `None` for a new network."""
    if settings.model is None:
        return None
    # Also seeds the random layers of a loaded model, because files do not store their seeds.
    keras.utils.set_random_seed(settings.seed)
    model = load_classifier(settings.model.expanduser())
    return declared(keras.models.clone_model(model) if settings.fresh else model, settings)


def _finish(trained: Trained, *, command: str) -> int:
    """Saves the hardened classifier, and attacks it and the classifier before."""
    recipe = trained.recipe
    assert isinstance(recipe, HardeningRecipe)
    settings, run = recipe.settings, trained.run
    target = settings.classifiers_dir / f"{run.model}.keras"
    save(trained.model.classifier, target, kept=_tested_on(recipe))
    seconds = sum(row["seconds"] for row in read_history(run.table))
    print(printable(f"hardened in {seconds:.1f} s; saved as {target}"), flush=True)
    stopped = any(isinstance(one, OverfittingGuard) and one.fired for one in trained.callbacks)
    if stopped:
        print("the guard stopped the training: robustness was falling; the best weights are kept")
    try:
        comparison = _compared(recipe, run, target, command, seconds=seconds, stopped=stopped)
    except KeyboardInterrupt:
        resume = shlex.join(hints.resume("harden", settings, run.folder, prefix="harden-"))
        print(f"\nthe comparison is missing; make it with {resume}", file=sys.stderr)
        raise
    write(comparison, run.folder)
    write_comparison_page(
        comparison, run.folder / "report.html", curves=run.folder / "robustness.png"
    )
    tell(comparison, run.folder)
    print(printable(f"next: {comparison.provenance['to attack']}"))
    return 0


def _tested_on(recipe: HardeningRecipe) -> dict[str, object] | None:
    """For `save`; `None` too where the weights that it began with may know all of the data."""
    settings = recipe.settings
    kept = tested_on.of_training(settings, recipe.splits[1])
    if settings.model is None or settings.fresh:
        return kept
    return kept if tested_on.read(settings.model.expanduser()) == kept else None


def _compared(
    recipe: HardeningRecipe,
    run: Run,
    target: Path,
    command: str,
    *,
    seconds: float,
    stopped: bool,
) -> Comparison:
    """The classifier before and the hardened one in the file `target`, attacked alike."""
    settings = recipe.settings
    return compare(
        _before(recipe, run),
        # What was saved, which is what is used from now on.
        declared(load_classifier(target), settings),
        recipe.splits[1],
        method=settings.method,
        epsilon=settings.epsilon,
        norm=settings.norm,
        n=settings.n,
        autoattack_n=settings.autoattack_n,
        seed=settings.seed,
        seconds=seconds,
        stopped=stopped,
        provenance=_provenance(settings, target, run, command),
    )


def _provenance(
    settings: HardeningSettings, target: Path, run: Run, command: str
) -> dict[str, str]:
    """Where the figures come from, by the name of the fact."""
    source = run.folder / "before.keras" if settings.model is None else settings.model.expanduser()
    facts = {
        "model before": f"{source}"
        + (", a new network trained without attacks" if settings.model is None else ""),
        "SHA-256 of before": hashlib.sha256(source.read_bytes()).hexdigest(),
        "model after": str(target),
        "SHA-256 of after": hashlib.sha256(target.read_bytes()).hexdigest(),
        "data": settings.data,
        "split": _split(settings),
        "method": settings.method,
        "seed": str(settings.seed),
        "run": str(run.folder),
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "to attack": hints.attack(settings, target, settings.data),
    }
    return {name: one_line(value) for name, value in facts.items() if value}


def _split(settings: HardeningSettings) -> str:
    """The split that is attacked, in words where the data have none."""
    held_out = kgan.data.held_out_split(settings.data)
    if held_out is not None:
        return held_out
    tenth = f"a tenth of the data, held out by seed {settings.seed}"
    # What was trained elsewhere may know these images.
    return tenth + ("" if settings.model is None else "; the model before may have seen it")


def _before(recipe: HardeningRecipe, run: Run) -> keras.Model | Victim:
    """The model to compare with: the given one, or one that the run trains once without attacks."""
    settings = recipe.settings
    if settings.model is not None:
        return declared(load_classifier(settings.model.expanduser()), settings)
    path = run.folder / "before.keras"
    if path.is_file():
        return load_classifier(path)
    plain: ClassifierRecipe[Any] = ClassifierRecipe(settings, fakes=recipe.fakes)
    data = plain.data()
    model = plain.model(data)
    # The data have been described.
    print(f"{plain.describe(data, model)[-1]}, to compare with", flush=True)
    model.fit(
        plain.feed(data),
        epochs=plain.epochs,
        steps_per_epoch=plain.steps_per_epoch(data),
        shuffle=False,
        verbose=0,
    )
    save(model, path)
    return model
