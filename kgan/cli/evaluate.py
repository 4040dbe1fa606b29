"""`kgan evaluate SOURCE`: scores of a generator, or of a set of samples, against real data."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

import kgan.data
from kgan.cli.command_line import Request
from kgan.cli.kept_scores import SCORES, answers, as_measured, asked_of, checkpoint_of
from kgan.data import Dataset, Reading
from kgan.data.folder import DEFAULT_SIZE
from kgan.evaluation import (
    RealData,
    Score,
    Task,
    classifier_of,
    default_count,
    default_extractor,
    default_metrics,
    known_modes,
    load_scores,
    print_comparison,
    print_scores,
    real_data,
    save_scores,
)
from kgan.evaluation.defaults import available, baselines
from kgan.evaluation.generated import (
    Fakes,
    check_shape,
    from_generator,
    from_set,
    likelihood_settings,
    note_of_classes,
    path_length_settings,
    with_labels_of,
)
from kgan.evaluation.real_data import folder_images
from kgan.evaluation.table_report import write_table_report
from kgan.evaluation.task import MOST
from kgan.kinds import Table
from kgan.metrics import METRICS
from kgan.metrics.extractor import Extractor, discriminator_extractor, extractor
from kgan.metrics.measure import check_metrics, check_possible
from kgan.metrics.ndb import BINS
from kgan.progress import Progress
from kgan.runs import outputs
from kgan.runs.run import Run, is_run
from kgan.runs.source import Source, open_source, reading_of
from kgan.settings import EvaluateSettings

_ARRAYS = (".npz", ".npy")
# Values of images that k-means holds, twice, as float64.
_MOST_CLUSTERED = 2**28


def main(request: Request) -> int:
    """The body of `kgan evaluate`."""
    settings = cast(EvaluateSettings, request.settings)
    if settings.compare:
        compare(settings)
    else:
        evaluate(settings)
    return 0


def evaluate(settings: EvaluateSettings) -> Path:
    """Scores one source, writes scores.json and pictures, and prints the table.

    Returns:
        The folder with the results.
    """
    check_metrics(settings.metrics)
    path = _path(settings)
    run = Run.open(path) if is_run(path) else None
    _check_out(settings, run)
    scored_source = opened(settings)
    task = prepare(settings, scored_source)
    with Progress(lines=False, stderr=True) as progress:
        scored = task.score(progress=lambda what: progress.update(what=what))
        progress.update(what="pictures")
        folder = settings.out or _folder(settings, run)
        scored.draw(folder, table=None if run is None else run.table)
        scores = [*_own_scores(settings, scored_source, folder), *scored.scores]
        if isinstance(scored.train.kind, Table):
            write_table_report(
                folder / "report.html",
                title=str(settings.source),
                scores=scores,
                fake=scored.shown,
                real=scored.train,
            )
    save_scores(
        scores,
        folder / SCORES,
        source=str(settings.source),
        asked=asked_of(settings),
        checkpoint=checkpoint_of(path, settings.checkpoint),
        classes=[dataclasses.asdict(row) for row in scored.classes],
    )
    print_scores(str(settings.source), scores, scored.classes, folder)
    return folder


def compare(settings: EvaluateSettings) -> None:
    """Compares the saved scores of two sources. First evaluates each source that has no scores, or
    scores with other options than those given: as the other one was where none are given."""
    files = {}
    for path in settings.compare:
        if not path.exists():
            raise FileNotFoundError(f"compare must name runs or scores.json files, got {path}.")
        files[path] = path if path.suffix == ".json" else path / SCORES
    missing = [one for one in files if files[one] != one and not answers(files[one], settings)]
    for path in missing:
        for other in files.keys() - missing:
            settings = as_measured(settings, files[other], beside=path)
        evaluate(dataclasses.replace(settings, source=path, compare=(), out=None))
    print_comparison(settings.compare, *(load_scores(files[one]) for one in settings.compare))


def prepare(settings: EvaluateSettings, scored: Dataset | Source) -> Task:
    """What to score, and how; checks that it fits together.

    Args:
        settings: What the user chose.
        scored: Samples, or what generates them; from `opened`.
    """
    given = scored if isinstance(scored, Dataset) else None
    source = scored if isinstance(scored, Source) else None
    real = _real(settings, source)
    train = real.train
    for note in train.notes if settings.data is not None else ():
        print(f"note: {train.name}: {note}", file=sys.stderr)
    if source is not None:
        if source.growing:
            print(f"note: {settings.source}: {source.growing}", file=sys.stderr)
        # A run's own data have its classes.
        told = settings.data and note_of_classes(source.num_classes, source.class_names, train)
        if told:
            print(f"note: {settings.source}: {told}", file=sys.stderr)
        fakes = from_generator(source.generate, source.num_classes, train, source.class_names)
    else:
        assert given is not None
        given = with_labels_of(given, train)
        if settings.n is not None and settings.n > len(given):
            raise ValueError(
                f"n must be at most the {len(given)} of {given.name}, got {settings.n}."
            )
        fakes = from_set(given)
    samples, labels = fakes(2, 0)
    count = _fixed_count(given, source)
    check_shape(str(settings.source), samples, train)
    judge = _extractor(settings, source, train)
    modes = known_modes(train)
    of_metrics = dict(modes)
    if source is not None and hasattr(source.model, "decode"):
        of_metrics["ppl"] = path_length_settings(source.model)
    model = None if source is None else source.model
    likelihood = likelihood_settings(
        model,
        train,
        importance_samples=settings.importance_samples,
        class_names=None if source is None else source.class_names,
    )
    if likelihood is None and settings.importance_samples != 1:
        raise ValueError(
            f"importance_samples must be left out: {settings.source} has no likelihood, got "
            f"{settings.importance_samples}."
        )
    if likelihood is not None:
        of_metrics["bits_per_dimension"] = likelihood
    target = _target(settings, source, train)
    if target:
        of_metrics["table_utility"] = {"target": target}
    if isinstance(train.kind, Table):
        of_metrics["table_privacy"] = {"held_out": real.held_out.samples}
    labelled = train.labels is not None and labels is not None
    has = available(train.kind, judge, of_metrics, labelled=labelled)
    check_possible(settings.metrics, kind=train.kind, has=has)
    metrics = settings.metrics or default_metrics(train.kind, judge, modes)
    if not settings.metrics and "ndb" in metrics and len(train) < BINS:
        print(f"note: ndb is left out: it needs {BINS} real samples", file=sys.stderr)
        metrics = tuple(name for name in metrics if name != "ndb")
    values = min(len(train), settings.n_real or MOST) * int(np.prod(train.sample_shape))
    if not settings.metrics and "ndb" in metrics and values > _MOST_CLUSTERED:
        print(
            f"note: ndb is left out: its clustering would hold {values * 8 / 1e9:.0f} GB of real "
            "images (--n-real N --metrics ndb takes fewer)",
            file=sys.stderr,
        )
        metrics = tuple(name for name in metrics if name != "ndb")
    if judge is None and not modes and not settings.metrics and train.is_images:
        _tell_missing(settings, source, train)
    if not settings.metrics:
        metrics = tuple(name for name in metrics if has.issuperset(METRICS[name].needs))
        metrics = metrics if likelihood is None else (*metrics, "bits_per_dimension")
    return Task(
        fakes=fakes,
        real=real,
        metrics=metrics,
        settings=of_metrics,
        extractor=judge,
        given=count,
        n=settings.n or (None if count is not None else default_count(train.kind, modes)),
        n_real=settings.n_real,
        seeds=settings.seeds,
        classifier=classifier_of(train),
        baselines={**_inputs(source, train), **baselines(train, target=target)},
    )


def _tell_missing(settings: EvaluateSettings, source: Source | None, data: Dataset) -> None:
    """Says which scores are left out for want of an extractor, and which ones there are."""
    size = "x".join(map(str, data.sample_shape))
    ways = ["a classifier's .keras file"]
    if source is not None and hasattr(source.model, "discriminator"):
        ways.insert(0, "--extractor discriminator (the run's own)")
    if data.sample_shape[-1] in (1, 3):
        ways.insert(0, "--extractor inception (--download fetches its weights)")
    print(
        f"note: no extractor is known for images of {size}, so scores of features (FID, KID, "
        f"precision, recall) are left out: give {', or '.join(ways)}",
        file=sys.stderr,
    )


def _fixed_count(given: Dataset | None, source: Source | None) -> int | None:
    """How many samples there are, where no seed makes more of them."""
    if given is not None:
        return len(given)
    return None if source is None or source.inputs is None else len(source.inputs.data)


def opened(settings: EvaluateSettings) -> Dataset | Source:
    """The samples that the source holds, or what generates some."""
    path = _path(settings)
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is neither a run folder, a .keras file, an exported model, nor samples."
        )
    given = _given(settings, path)
    if given is not None:
        for name in ("checkpoint", "endpoint"):
            if (asked := getattr(settings, name)) is not None:
                raise ValueError(f"{name} must be left out: {path} holds samples, got {asked!r}.")
        return given
    return open_source(path, checkpoint=settings.checkpoint, endpoint=settings.endpoint)


def _inputs(source: Source | None, train: Dataset) -> dict[str, Fakes]:
    """What samples are made of, as if nothing had been made of it."""
    if source is None or source.inputs is None:
        return {}
    inputs = source.inputs
    if inputs.data.kind != train.kind:
        return {}
    return {"inputs": lambda n, seed: (inputs(n, seed), None)}


def _own_scores(
    settings: EvaluateSettings, scored: Dataset | Source, folder: Path
) -> Sequence[Score]:
    """Scores that only the run's family has, where nothing else is asked for."""
    if isinstance(scored, Dataset) or scored.recipe is None or settings.metrics or settings.data:
        return ()
    return scored.recipe.own_scores(scored.model, folder)


def _path(settings: EvaluateSettings) -> Path:
    return (settings.source or Path()).expanduser()


def _given(settings: EvaluateSettings, path: Path) -> Dataset | None:
    """The generated samples, if the source holds samples instead of a generator."""
    if path.suffix.lower() in kgan.data.TABLE_SUFFIXES and path.is_file():
        kind = _real(settings, None).train.kind
        if not isinstance(kind, Table):
            raise ValueError(f"data must be a table for the rows of {path}, got {kind.plural}.")
        return _rows(settings, path, kind)
    if path.suffix.lower() in _ARRAYS:
        return kgan.data.load(str(path), **_reading_of_samples(settings))
    exported = (path / "saved_model.pb").is_file() or any(path.glob("*/saved_model.pb"))
    if path.is_dir() and not is_run(path) and not exported:
        return folder_images(path, **_reading_of_samples(settings))
    return None


def _rows(settings: EvaluateSettings, path: Path, kind: Table) -> Dataset:
    """Rows of a file as kgan writes them, or else as the data are read."""
    reading = {name: getattr(settings, name) for name in ("encoding", "separator", "decimal")}
    own = {name: getattr(EvaluateSettings(source=path), name) for name in reading}
    if reading == own:
        return kgan.data.load_rows(path, kind)
    try:
        return kgan.data.load_rows(path, kind)
    except ValueError:
        return kgan.data.load_rows(path, kind, **reading)


def _reading_of_samples(settings: EvaluateSettings) -> dict[str, Any]:
    """How generated samples are read: they have no range but that of their files."""
    return {**settings.reading, "value_range": None}


def _real(settings: EvaluateSettings, source: Source | None) -> RealData:
    """The data that the settings name, or those that the run was trained on."""
    if settings.data is None and source is not None and source.recipe is not None:
        own = source.recipe.real_data(source.endpoint)
        if own is not None:
            default = EvaluateSettings(source=Path())
            for field in (*settings.reading, *settings.table_reading):
                if getattr(settings, field) != getattr(default, field):
                    raise ValueError(
                        f"{field} must be left out without --data: {settings.source} is compared "
                        "with the data that it was trained on, as it read them."
                    )
            return own
    run = None if source is None else source.run
    saved: Mapping[str, Any] = {} if run is None else run.values
    name = settings.data or saved.get("data")
    if name is None:
        raise ValueError(
            f"data must be given for {settings.source}: --data digits, mnist, a folder, ..."
        )
    if settings.data is not None and Path(name).suffix.lower() in kgan.data.TABLE_SUFFIXES:
        Reading(**settings.reading).refuse(name, "which is a table")
        train, held_out = (
            kgan.data.load_table(name, one, **settings.table_reading) for one in ("train", "test")
        )
        return RealData(train, held_out)
    if settings.table_reading != EvaluateSettings(source=Path()).table_reading:
        raise ValueError(
            f"columns and other flags of tables must be left out for {name}, which is no table in "
            "a file."
        )
    split, reading = "train", settings.reading
    if settings.data is None:
        split = saved.get("split", "train")
        reading = _reading_of_run(run, settings, name)
    return real_data(
        name,
        split=split,
        data_dir=settings.data_dir or saved.get("data_dir"),
        download=settings.download,
        **reading,
    )


def _reading_of_run(run: Run | None, settings: EvaluateSettings, name: str) -> dict[str, Any]:
    """How the run read its data, but for what is asked for here."""
    if run is None:
        return settings.reading
    own = dict(reading_of(run))
    if own["image_size"] is None and name not in kgan.data.DATASETS:
        # A run without the setting was trained on a folder's images at their default size.
        own["image_size"] = DEFAULT_SIZE if Path(name).expanduser().is_dir() else None
    default = EvaluateSettings(source=Path()).reading
    asked = {key: value for key, value in settings.reading.items() if value != default[key]}
    return {**own, **asked}


def _target(settings: EvaluateSettings, source: Source | None, data: Dataset) -> str | None:
    """The column that classifiers are to tell, if any: as asked for, the run's, or the data's."""
    if not isinstance(data.kind, Table):
        if settings.target is not None:
            raise ValueError(
                f"target must be left out for {data.kind.plural}, got {settings.target!r}."
            )
        return None
    run = None if source is None else source.run
    own = None if run is None else run.values.get("target")
    return settings.target or own or kgan.data.TARGETS.get(data.name)


def _extractor(
    settings: EvaluateSettings, source: Source | None, data: Dataset
) -> Extractor | None:
    if not data.is_images and (settings.extractor or settings.layer):
        raise ValueError(
            f"extractor and layer must be left out for {data.kind.plural}, got "
            f"{settings.extractor or settings.layer}."
        )
    if settings.extractor == "discriminator":
        if settings.layer is not None:
            raise ValueError(
                f"layer must be left out for the discriminator, got {settings.layer!r}."
            )
        if source is None or not hasattr(source.model, "discriminator"):
            raise ValueError(
                f"extractor discriminator needs a run or a .keras file, not {settings.source}."
            )
        return discriminator_extractor(source.model)
    name = settings.extractor or default_extractor(data)
    if name is None:
        if settings.layer is not None:
            raise ValueError(f"layer must go with an extractor, got {settings.layer!r} alone.")
        return None
    found = extractor(name, settings.layer, download=settings.download)
    found.features(data.samples[:1])
    return found


def _folder(settings: EvaluateSettings, run: Run | None) -> Path:
    """The folder for the results: in the run's folder, or a new one."""
    if run is not None:
        return run.folder
    source = _path(settings).resolve()
    name = source.parent.name if source.name.isdigit() else source.stem
    return Run.new(settings.runs_dir, f"evaluate-{name}", settings).folder


def _check_out(settings: EvaluateSettings, run: Run | None) -> None:
    """Raises where the results could not be written, before anything is computed."""
    if settings.out is not None:
        outputs.check_folder("out", settings.out)
        outputs.check_file("out", settings.out / SCORES)
    elif run is not None:
        outputs.check_folder("the run's folder", run.folder)
    else:
        outputs.check_folder("runs_dir", settings.runs_dir)
