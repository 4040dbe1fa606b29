"""`kgan evaluate SOURCE`: scores of a generator, or of a folder of images, against real data."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from kgan.cli import run
from kgan.cli.runs import new_run
from kgan.config import EvaluateConfig

_MOST = 10_000
_MOST_FOR_TRAINING = 60_000


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `kgan evaluate`."""
    import tyro

    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        config = tyro.cli(EvaluateConfig, args=arguments, prog="kgan evaluate")
    except ValueError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2

    def body() -> int:
        if config.compare:
            compare(config)
        else:
            evaluate(config)
        return 0

    return run(body, debug=config.debug, verbose=config.verbose)


def evaluate(config: EvaluateConfig) -> Path:
    """Scores one source, writes scores.json and pictures, and prints the table.

    Returns:
        The folder written to.
    """
    import kgan.metrics.evaluate
    from kgan.cli.evaluate_classes import class_rows
    from kgan.cli.evaluate_output import Progress, tell, write
    from kgan.cli.evaluate_pictures import draw
    from kgan.cli.evaluate_task import prepare
    from kgan.metrics.evaluate import SampleSet

    kgan.metrics.evaluate.check_metrics(config.metrics)
    task = prepare(config)
    metrics = config.metrics or task.metrics

    def sample_set(data) -> SampleSet:
        known = {"extractor": task.extractor, "data": data.name, "split": task.split}
        return SampleSet(data.samples, data.labels, **known)

    with Progress() as progress:
        train = sample_set(task.train)
        real = train.random(config.n_real or _MOST)
        held_out = sample_set(task.held_out)
        floor = None if task.floor is None else sample_set(task.floor)
        n = config.n or task.given or task.n or min(_MOST, len(held_out))

        def fakes(seed: int, count: int = n) -> SampleSet:
            return SampleSet(*task.fakes(count, seed), extractor=task.extractor)

        shown = fakes(0)
        scores = kgan.metrics.evaluate.evaluate(
            lambda seed: shown if seed == 0 else fakes(seed),
            real,
            held_out,
            metrics=[name for name in metrics if name != "cas"],
            seeds=tuple(range(config.seeds)),
            settings=task.settings,
            fixed=task.given is not None,
            floor_real=floor,
            training=train.random(config.n_real or _MOST_FOR_TRAINING),
            progress=progress,
        )
        if "cas" in metrics:
            scores += kgan.metrics.evaluate.classification_scores(
                lambda seed: fakes(seed, min(_MOST_FOR_TRAINING, len(train))),
                (floor or train).random(_MOST_FOR_TRAINING),
                held_out,
                classifier=task.classifier,
                seeds=(0,) if task.given else tuple(range(config.seeds)),
                progress=progress,
            )
        progress("pictures")
        folder = config.out or _folder(config, task.run)
        centres = task.settings.get("modes", {}).get("centres")
        classes = class_rows(shown, held_out, task.train.class_names, centres)
        draw(folder, shown, train, classes, task.run)
    write(folder, scores, classes, config)
    tell(folder, scores, classes, config)
    return folder


def compare(config: EvaluateConfig) -> None:
    """Compares the scores of two sources as they are kept; evaluates a source that has none, or
    whose scores are of other options than those given."""
    from kgan.cli.evaluate_output import SCORES, answers, tell_comparison
    from kgan.metrics.score import load_scores

    found = []
    for path in config.compare:
        if path.suffix != ".json" and not answers(path / SCORES, config):
            path = evaluate(dataclasses.replace(config, source=path, compare=(), out=None))
        found.append(load_scores(path if path.suffix == ".json" else path / SCORES))
    tell_comparison(config.compare, *found)


def _folder(config: EvaluateConfig, run_folder: Path | None) -> Path:
    """Where the results go: beside the run's own, or in a new folder."""
    if run_folder is not None:
        return run_folder
    source = (config.source or Path()).expanduser().resolve()
    name = source.parent.name if source.name.isdigit() else source.stem
    return new_run(config.runs_dir, f"evaluate-{name}")
