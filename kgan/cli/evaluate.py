"""`kgan evaluate SOURCE`: scores of a generator, or of a set of samples, against real data."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import kgan.data
from kgan.cli.command_line import Request
from kgan.data import Dataset
from kgan.data.folder import DEFAULT_SIZE
from kgan.evaluation import (
    RealData,
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
from kgan.evaluation.defaults import available
from kgan.evaluation.generated import (
    check_shape,
    from_generator,
    from_set,
    path_length_settings,
    with_labels_of,
)
from kgan.evaluation.real_data import folder_images
from kgan.metrics.extractor import Extractor, discriminator_extractor, extractor
from kgan.metrics.measure import check_metrics, check_possible
from kgan.progress import Progress
from kgan.runs.run import Run, is_run
from kgan.runs.source import Source, open_source
from kgan.settings import EvaluateSettings

SCORES = "scores.json"
_ARRAYS = (".npz", ".npy")


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
        The folder written to.
    """
    check_metrics(settings.metrics)
    path = _path(settings)
    run = Run.open(path) if is_run(path) else None
    task = prepare(settings)
    with Progress(lines=False, stderr=True) as progress:
        scored = task.score(progress=lambda what: progress.update(what=what))
        progress.update(what="pictures")
        folder = settings.out or _folder(settings, run)
        scored.draw(folder, table=None if run is None else run.table)
    save_scores(
        scored.scores,
        folder / SCORES,
        source=str(settings.source),
        asked=_asked(settings),
        checkpoint=_checkpoint(path, settings.checkpoint),
        classes=[dataclasses.asdict(row) for row in scored.classes],
    )
    print_scores(str(settings.source), scored.scores, scored.classes, folder)
    return folder


def compare(settings: EvaluateSettings) -> None:
    """Compares the scores of two sources as they are kept; evaluates a source that has none, or
    whose scores are of other options than those given."""
    found = []
    for path in settings.compare:
        if path.suffix != ".json" and not _answers(path / SCORES, settings):
            path = evaluate(dataclasses.replace(settings, source=path, compare=(), out=None))
        found.append(load_scores(path if path.suffix == ".json" else path / SCORES))
    print_comparison(settings.compare, *found)


def prepare(settings: EvaluateSettings) -> Task:
    """Finds and loads what the settings name, and checks that it fits together."""
    path = _path(settings)
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is neither a run folder, a .keras file, an exported model, nor samples."
        )
    given = _given(settings, path)
    source = None if given is not None else open_source(path, checkpoint=settings.checkpoint)
    real = _real(settings, None if source is None else source.run)
    train = real.train
    if source is not None:
        fakes = from_generator(source.generate, source.num_classes, train)
    else:
        assert given is not None
        given = with_labels_of(given, train)
        if settings.n is not None and settings.n > len(given):
            raise ValueError(
                f"n must be at most the {len(given)} of {given.name}, got {settings.n}."
            )
        fakes = from_set(given)
    samples, labels = fakes(2, 0)
    check_shape(str(settings.source), samples, train)
    judge = _extractor(settings, source, train)
    modes = known_modes(train)
    of_metrics = dict(modes)
    if source is not None and hasattr(source.model, "decode"):
        of_metrics["ppl"] = path_length_settings(source.model)
    labelled = train.labels is not None and labels is not None
    has = available(train.kind, judge, of_metrics, labelled=labelled)
    check_possible(settings.metrics, kind=train.kind, has=has)
    return Task(
        fakes=fakes,
        real=real,
        metrics=settings.metrics or default_metrics(train.kind, judge, modes),
        settings=of_metrics,
        extractor=judge,
        given=None if given is None else len(given),
        n=settings.n or (None if given is not None else default_count(train.kind, modes)),
        n_real=settings.n_real,
        seeds=settings.seeds,
        classifier=classifier_of(train),
    )


def _path(settings: EvaluateSettings) -> Path:
    return (settings.source or Path()).expanduser()


def _given(settings: EvaluateSettings, path: Path) -> Dataset | None:
    """The generated samples, where the source holds those and no generator."""
    if path.suffix in _ARRAYS:
        return kgan.data.load(str(path))
    exported = (path / "saved_model.pb").is_file() or any(path.glob("*/saved_model.pb"))
    if path.is_dir() and not is_run(path) and not exported:
        return folder_images(path, settings.image_size)
    return None


def _real(settings: EvaluateSettings, run: Run | None) -> RealData:
    """The data that are named, or those that the run was trained on."""
    saved: Mapping[str, Any] = {} if run is None else run.values
    name = settings.data or saved.get("data")
    if name is None:
        raise ValueError(
            f"data must be given for {settings.source}: --data digits, mnist, a folder, ..."
        )
    size, split = settings.image_size, "train"
    if settings.data is None:
        split = saved.get("split", "train")
        is_folder = name not in kgan.data.DATASETS and Path(name).expanduser().is_dir()
        # A run trained on a folder's images at the size that these have by default.
        size = size or saved.get("image_size") or ((DEFAULT_SIZE,) if is_folder else None)
    return real_data(
        name,
        split=split,
        image_size=size,
        data_dir=settings.data_dir or saved.get("data_dir"),
        download=settings.download,
    )


def _extractor(
    settings: EvaluateSettings, source: Source | None, data: Dataset
) -> Extractor | None:
    if settings.extractor == "discriminator":
        if source is None or not hasattr(source.model, "discriminator"):
            raise ValueError(
                f"extractor discriminator needs a run or a .keras file, not {settings.source}."
            )
        return discriminator_extractor(source.model)
    name = settings.extractor or default_extractor(data)
    if name is None:
        return None
    found = extractor(name, settings.layer, download=settings.download)
    found.features(data.samples[:1])
    return found


def _folder(settings: EvaluateSettings, run: Run | None) -> Path:
    """Where the results go: beside the run's own, or in a new folder."""
    if run is not None:
        return run.folder
    source = _path(settings).resolve()
    name = source.parent.name if source.name.isdigit() else source.stem
    return Run.new(settings.runs_dir, f"evaluate-{name}", settings).folder


def _asked(settings: EvaluateSettings) -> dict[str, Any]:
    """The options that a score depends on, as JSON gives them back."""
    names = ("data", "image_size", "checkpoint", "metrics", "extractor", "layer", "n", "n_real")
    content = {name: getattr(settings, name) for name in (*names, "seeds")}
    return json.loads(json.dumps(content))


def _answers(path: Path, settings: EvaluateSettings) -> bool:
    """Whether the scores kept there are of the options given, if any, and of what is there now."""
    if not path.is_file():
        return False
    try:
        kept = json.loads(path.read_text())
    except ValueError:
        return False
    wanted, default = _asked(settings), _asked(EvaluateSettings(source=Path()))
    if wanted not in (default, kept.get("asked")):
        return False
    checkpoint = kept.get("checkpoint")
    if checkpoint is None:
        return not (path.parent / "checkpoints").is_dir()
    return checkpoint == _checkpoint(path.parent, checkpoint["name"])


def _checkpoint(folder: Path, name: str | None) -> dict[str, str] | None:
    """Which checkpoint of a run, with its hash; `None` of what is no run with checkpoints."""
    if not is_run(folder) or not (folder / "checkpoints").is_dir():
        return None
    run = Run.open(folder)
    name = name or run.exported_checkpoint()
    path = run.checkpoints / f"{name}.keras"
    if not path.is_file():
        return None
    return {"name": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
