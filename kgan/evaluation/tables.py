"""Scores on the terminal: tables of one source, and of two side by side."""

import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kgan.evaluation.classes import ClassRow
from kgan.evaluation.score import Score, compare

# Width of the tables, in characters, if there is no terminal.
_WIDTH = 110
# Rows of training rows alone are not so seldom nearer to these than to held-out rows, but by chance
# where few are held out.
_FAR_FROM_TRAIN = 0.4


def print_scores(
    title: str, scores: Sequence[Score], classes: Sequence[ClassRow], folder: Path
) -> None:
    """Prints the scores, their protocols, the classes, and the folder with the files.

    Args:
        title: Title of the table, the name of the source.
        scores: The scores.
        classes: A row for each class; may be empty.
        folder: The folder with scores and pictures.
    """
    console = _console()
    table = Table(title=title)
    baselines = list(dict.fromkeys(name for score in scores for name in score.baselines))
    table.add_column("score", overflow="fold")
    for name in ("value", "95% interval", "real data", *baselines, "better"):
        table.add_column(name, justify="right", no_wrap=name not in baselines, overflow="fold")
    for score in scores:
        interval = "" if score.low is None else f"{_number(score.low)} to {_number(score.high)}"
        floor = "" if score.floor is None else _number(score.floor)
        if score.floor is not None and score.floor_n != score.protocol.n_fake:
            floor += f" (n={score.floor_n:,})"
        beside = [_number(score.baselines.get(name)) for name in baselines]
        better = "lower" if score.lower_is_better else "higher"
        table.add_row(score.name, _number(score.value), interval, floor, *beside, better)
    console.print(table)
    if told := seen_held_out(scores):
        console.print(Text(told), soft_wrap=True)
    for line in protocol_lines(scores):
        console.print(Text(line, style="dim"), soft_wrap=True)
    if classes:
        console.print(_class_table(classes))
    console.print(Text(f"scores and pictures in {folder}"), soft_wrap=True)


def seen_held_out(scores: Sequence[Score]) -> str | None:
    """A warning where generated rows of a table lie nearer to held-out rows than to training rows.

    Lower is better there only down to one half: beyond, the rows were made of what should judge
    them, and all scores by held-out rows flatter.
    """
    closer = next((one for one in scores if one.name == "closer_to_train"), None)
    if closer is None or max(closer.value, closer.high or 0.0) >= _FAR_FROM_TRAIN:
        return None
    return (
        f"warning: {1 - closer.value:.0%} of the rows lie nearer to held-out rows than to training "
        "rows: their generator seems to have seen what is held out, and then utility and "
        "closeness flatter. Make rows of the training rows alone, or hold others out."
    )


def score_table(scores: Sequence[Score]) -> str:
    """The scores as an HTML table, as a notebook shows it."""
    titles = ("score", "value", "95% interval", "real data", "better", "measured on")
    rows = [
        (
            score.name,
            _number(score.value),
            "" if score.low is None else f"{_number(score.low)} to {_number(score.high)}",
            _number(score.floor),
            "lower" if score.lower_is_better else "higher",
            f"{score.protocol.n_fake:,} samples, {score.protocol.data} {score.protocol.split}",
        )
        for score in scores
    ]
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def protocol_lines(scores: Sequence[Score]) -> list[str]:
    """The protocols in words, one line for the scores that share one."""
    lines: dict[str, list[str]] = {}
    for score in scores:
        protocol = score.protocol
        over = {
            "seeds": f"interval over {len(score.seeds)} sampling seeds (Student's t)",
            "halves": "interval over random halves of the set (jackknife)",
            "samples": "interval over the samples",
            None: "no interval",
        }[protocol.interval]
        settings = ", ".join(f"{key} {value}" for key, value in protocol.settings.items())
        counts = {"generated": protocol.n_fake, "real": protocol.n_real}
        text = (
            " against ".join(f"{count:,} {what}" for what, count in counts.items() if count)
            + f" of {protocol.data} {protocol.split}, {over}"
            + (f"; {protocol.extractor}" if protocol.extractor else "")
            + ("" if protocol.preprocessing == "none" else f"; {protocol.preprocessing}")
            + (f"; {settings}" if settings else "")
        )
        lines.setdefault(text, []).append(score.name.partition("[")[0])
    told = [f"{', '.join(names)}: {text}" for text, names in lines.items()]
    told.append("real data: what held-out real samples score in place of generated ones")
    return told


def print_comparison(
    sources: Sequence[Path], first: Sequence[Score], second: Sequence[Score]
) -> None:
    """Prints the scores of two sources side by side, and the difference with its interval.

    Args:
        sources: Paths of the two sources.
        first: Scores of the first source.
        second: Scores of the second source.

    Raises:
        ValueError: If the sources have no scores that can be compared.
    """
    console = _console()
    ours, theirs = ({score.name: score for score in scores} for scores in (first, second))
    common = [name for name in ours if name in theirs]
    if not common:
        raise ValueError(
            f"{sources[0]} and {sources[1]} have no score in common: {', '.join(ours)} and "
            f"{', '.join(theirs)}."
        )
    table = Table()
    table.add_column("score", overflow="fold")
    for name in map(str, sources):
        table.add_column(name, justify="right", overflow="fold")
    for name in ("difference", "95% interval", "better"):
        table.add_column(name, justify="right", no_wrap=name != "better", overflow="fold")
    refused: list[ValueError] = []
    without: list[str] = []
    for name in common:
        try:
            result = compare(ours[name], theirs[name])
        except ValueError as error:
            refused.append(error)
            continue
        interval = "none"
        if result.low is None:
            without.append(name)
        else:
            interval = f"{_number(result.low)} to {_number(result.high)}"
        better = {"first": str(sources[0]), "second": str(sources[1]), None: "undecided"}
        numbers = (result.first.value, result.second.value, result.difference)
        table.add_row(name, *map(_number, numbers), interval, better[result.better])
    if len(refused) == len(common):
        raise refused[0]
    console.print(table)
    if without:
        few = "fewer than three draws, or infinite ones"
        told = f"undecided for want of an interval ({few}): {', '.join(without)}"
        console.print(Text(told, style="dim"), soft_wrap=True)
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
    # Names of scores contain brackets, which must not be read as markup.
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, markup=False, width=_WIDTH)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
