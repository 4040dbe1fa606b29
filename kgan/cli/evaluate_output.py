"""What `kgan evaluate` shows and leaves behind."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kgan.cli.evaluate_classes import ClassRow
from kgan.cli.sample import exported_checkpoint
from kgan.config import EvaluateConfig
from kgan.metrics.score import Score, compare, save_scores

SCORES = "scores.json"
_WIDTH = 110


class Progress:
    """The current piece of work on one line, where there is a terminal."""

    def __init__(self):
        self._status = Console(stderr=True).status("")

    def __call__(self, what: str) -> None:
        self._status.update(what)

    def __enter__(self) -> "Progress":
        self._status.start()
        return self

    def __exit__(self, *_) -> None:
        self._status.stop()


def asked(config: EvaluateConfig) -> dict[str, Any]:
    """The options that a score depends on, as JSON gives them back."""
    names = ("data", "image_size", "checkpoint", "metrics", "extractor", "layer", "n", "n_real")
    content = {name: getattr(config, name) for name in (*names, "seeds")}
    return json.loads(json.dumps(content))


def answers(path: Path, config: EvaluateConfig) -> bool:
    """Whether the scores kept there are of the options given, if any, and of what is there now."""
    if not path.is_file():
        return False
    try:
        kept = json.loads(path.read_text())
    except ValueError:
        return False
    wanted, default = asked(config), asked(EvaluateConfig(source=Path()))
    if wanted not in (default, kept.get("asked")):
        return False
    checkpoint = kept.get("checkpoint")
    if checkpoint is None:
        return not (path.parent / "checkpoints").is_dir()
    return checkpoint == checkpoint_of(path.parent, checkpoint["name"])


def checkpoint_of(folder: Path, name: str | None) -> dict[str, str] | None:
    """Which checkpoint of a run, with its hash; `None` of what is no run with checkpoints."""
    if not (folder / "checkpoints").is_dir():
        return None
    name = name or exported_checkpoint(folder)
    path = folder / "checkpoints" / f"{name}.keras"
    if not path.is_file():
        return None
    return {"name": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def write(
    folder: Path, scores: Sequence[Score], classes: Sequence[ClassRow], config: EvaluateConfig
) -> None:
    """Writes scores.json: the scores with their protocols, the classes, and what was asked."""
    save_scores(
        scores,
        folder / SCORES,
        source=str(config.source),
        asked=asked(config),
        checkpoint=checkpoint_of((config.source or Path()).expanduser(), config.checkpoint),
        classes=[dataclasses.asdict(row) for row in classes],
    )


def tell(
    folder: Path, scores: Sequence[Score], classes: Sequence[ClassRow], config: EvaluateConfig
) -> None:
    """Prints the table of scores, the table of classes, and where everything is."""
    console = _console()
    table = Table(title=str(config.source))
    table.add_column("score")
    for name in ("value", "95% interval", "real data", "better"):
        table.add_column(name, justify="right", no_wrap=True)
    for score in scores:
        interval = "" if score.low is None else f"{_number(score.low)} to {_number(score.high)}"
        floor = "" if score.floor is None else _number(score.floor)
        if score.floor is not None and score.floor_n != score.protocol.n_fake:
            floor += f" (n={score.floor_n:,})"
        better = "lower" if score.lower_is_better else "higher"
        table.add_row(score.name, _number(score.value), interval, floor, better)
    console.print(table)
    for line in protocol_lines(scores):
        console.print(Text(line, style="dim"), soft_wrap=True)
    if classes:
        console.print(_class_table(classes))
    console.print(Text(f"scores and pictures in {folder}"), soft_wrap=True)


def protocol_lines(scores: Sequence[Score]) -> list[str]:
    """The protocols in words, one line for the scores that share one."""
    lines: dict[str, list[str]] = {}
    for score in scores:
        protocol = score.protocol
        over = {
            "seeds": f"interval over {len(score.seeds)} sampling seeds (Student's t)",
            "halves": "interval over random halves of the set (jackknife)",
            None: "no interval",
        }[protocol.interval]
        settings = ", ".join(f"{key} {value}" for key, value in protocol.settings.items())
        text = (
            f"{protocol.n_fake:,} generated"
            + (f" against {protocol.n_real:,} real" if protocol.n_real else "")
            + f" of {protocol.data} {protocol.split}, {over}"
            + (f"; {protocol.extractor}" if protocol.extractor else "")
            + ("" if protocol.preprocessing == "none" else f"; {protocol.preprocessing}")
            + (f"; {settings}" if settings else "")
        )
        lines.setdefault(text, []).append(score.name.partition("[")[0])
    told = [f"{', '.join(names)}: {text}" for text, names in lines.items()]
    told.append("real data: what held-out real samples score in place of generated ones")
    return told


def tell_comparison(
    sources: Sequence[Path], first: Sequence[Score], second: Sequence[Score]
) -> None:
    """Prints the scores of two sources side by side, and the difference with its interval."""
    console = _console()
    ours, theirs = ({score.name: score for score in scores} for scores in (first, second))
    common = [name for name in ours if name in theirs]
    if not common:
        raise ValueError(
            f"{sources[0]} and {sources[1]} have no score in common: {', '.join(ours)} and "
            f"{', '.join(theirs)}."
        )
    table = Table()
    table.add_column("score")
    for name in (*map(str, sources), "difference", "95% interval", "better"):
        table.add_column(name, justify="right")
    refused = []
    for name in common:
        try:
            result = compare(ours[name], theirs[name])
        except ValueError as error:
            refused.append(error)
            continue
        interval = ""
        if result.low is not None:
            interval = f"{_number(result.low)} to {_number(result.high)}"
        better = {"first": str(sources[0]), "second": str(sources[1]), None: "undecided"}
        numbers = (result.first.value, result.second.value, result.difference)
        table.add_row(name, *map(_number, numbers), interval, better[result.better])
    if len(refused) == len(common):
        raise refused[0]
    console.print(table)
    for one in refused:
        console.print(Text(str(one), style="dim"), soft_wrap=True)
    for side, names in zip(
        sources, (set(ours) - set(theirs), set(theirs) - set(ours)), strict=True
    ):
        if names:
            console.print(Text(f"only of {side}: {', '.join(sorted(names))}", style="dim"))


def _class_table(classes: Sequence[ClassRow]) -> Table:
    fields = [
        field.name
        for field in dataclasses.fields(ClassRow)
        if any(getattr(row, field.name) is not None for row in classes)
    ]
    titles = {"name": "class", "real": "share of real", "generated": "share of generated"}
    table = Table(title="by class")
    for name in fields:
        title = titles.get(name, name.replace("_", " "))
        table.add_column(title, justify="left" if name == "name" else "right")
    for row in classes:
        values = (getattr(row, name) for name in fields[1:])
        table.add_row(row.name, *("" if value is None else f"{value:.1%}" for value in values))
    return table


def _console() -> Console:
    # Scores have names with brackets, which are no markup.
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, markup=False, width=_WIDTH)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
