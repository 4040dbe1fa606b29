"""Models of a table side by side, and rows that other tools wrote, on one held-out file.

    python benchmarks/tables.py train.csv test.csv income --epochs 60 --rows ctgan.csv tvae.csv

Each line: seconds to fit (encoder included), rows a second, then the scores of as many rows as the
training file has, and the greatest total variation distance of a column of categories.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import kgan.data
from kgan.kinds import Table
from kgan.metrics.table_detection import table_detection
from kgan.metrics.table_privacy import table_privacy
from kgan.metrics.table_quality import column_shapes, table_quality
from kgan.metrics.table_utility import table_utility
from kgan.recipes import TableRecipe
from kgan.rows import Rows
from kgan.settings.table import PRESETS

_ROWS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("target")
    parser.add_argument("--models", nargs="*", default=["gan", "tvae", "copula"])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", nargs="*", type=Path, default=[])
    given = parser.parse_args()
    train = kgan.data.load_table(given.train, held_out=0.0)
    table = train.kind
    assert isinstance(table, Table)
    test = kgan.data.load_rows(given.test, table).samples
    print("real", scores(train.samples, train.samples, test, table, given.target))
    for name in given.models:
        rows, told = made(name, given)
        print(name, told, scores(train.samples, rows, test, table, given.target), flush=True)
    for path in given.rows:
        rows = kgan.data.load_rows(path, table).samples
        print(path, scores(train.samples, rows, test, table, given.target), flush=True)


def made(name: str, given: argparse.Namespace) -> tuple[Rows, str]:
    """Rows of a model that is trained here, and what that cost."""
    settings = dataclasses.replace(
        PRESETS["table"],
        data=str(given.train),
        held_out=0.0,
        epochs=given.epochs,
        seed=given.seed,
        model=name,
    )
    begin = time.perf_counter()
    recipe = TableRecipe(settings)
    data = recipe.data()
    recipe.settle(data)
    model = recipe.model(data)
    steps = recipe.steps_per_epoch(data)
    feed = recipe.feed(data)
    model.fit(feed, steps_per_epoch=steps, epochs=recipe.epochs, shuffle=False, verbose=0)
    model.calibrate(recipe.encoder(data)[1])
    fitted = time.perf_counter()
    model.generate(1000)
    begun = time.perf_counter()
    rows = model.generate(_ROWS, seed=1)
    speed = _ROWS / (time.perf_counter() - begun)
    return rows, f"fit {fitted - begin:.1f} s, {speed:,.0f} rows/s"


def scores(train: Rows, rows: Rows, test: Rows, table: Table, target: str) -> str:
    """All scores in a line."""
    quality = table_quality(train, rows, table=table)
    utility = table_utility(test, rows, table=table, target=target)
    detection = table_detection(test, rows, table=table)
    privacy = table_privacy(train, rows, table=table, held_out=test)
    shapes = column_shapes(train, rows, table=table)
    apart = max((1.0 - shapes[column.name] for column in table.conditions), default=0.0)
    found = {**quality._asdict(), **utility._asdict(), **detection._asdict(), **privacy._asdict()}
    return ", ".join(f"{key} {value:.3f}" for key, value in found.items()) + f", tv {apart:.4f}"


if __name__ == "__main__":
    main()
