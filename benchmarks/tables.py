"""Models of a table beside each other, and beside rows of other programs.

    python benchmarks/tables.py train.csv test.csv income --models gan --epochs 60 --out rows.csv
    python benchmarks/tables.py train.csv test.csv income --models --rows rows.csv ctgan.csv

Prints a line of JSON for real training rows, for each model and for each file of rows: what
training cost (seconds of the processor; rows in one, of 10,000 after a first call; the peak memory,
which is that of the model where one alone is trained), then the scores of as many rows as the
training file has, and the greatest total variation distance of a column of categories.
`benchmarks/tables_data.py` writes tables, `benchmarks/tables_peer.py` rows of ctgan.
"""

import argparse
import dataclasses
import json
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kgan.data
from kgan.data.table_files import write_csv
from kgan.kinds import Table
from kgan.metrics.table_detection import table_detection
from kgan.metrics.table_privacy import table_privacy
from kgan.metrics.table_quality import column_shapes, table_quality
from kgan.metrics.table_utility import table_utility
from kgan.recipes import TableRecipe
from kgan.rows import Rows
from kgan.settings.table import PRESETS

_ROWS = 10_000
OPTIONS: dict[str, dict[str, Any]] = {
    "preset": {},
    "modes": {"conditions": "modes"},
    "target-loss": {"target_loss": 1.0},
    "both": {"conditions": "modes", "target_loss": 1.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("target")
    parser.add_argument("--models", nargs="*", default=["gan", "tvae", "copula"])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", choices=OPTIONS, default="preset", help="of the GAN")
    parser.add_argument("--rows", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, help="where the last model's rows go, unscored")
    given = parser.parse_args()
    train = kgan.data.load_table(given.train, held_out=0.0)
    table = train.kind
    assert isinstance(table, Table)
    test = kgan.data.load_rows(given.test, table).samples
    if given.out is None:
        show("real", scores(train.samples, train.samples, test, table, given.target))
    for name in given.models:
        rows, cost = made(name, given)
        if given.out is None:
            cost |= scores(train.samples, rows, test, table, given.target)
        else:
            write_csv(rows, given.out, table=table)
        show(name, {"options": given.options, "epochs": given.epochs, "seed": given.seed, **cost})
    for path in given.rows:
        rows = kgan.data.load_rows(path, table).samples
        show(str(path), scores(train.samples, rows, test, table, given.target))


def show(name: str, found: Mapping[str, float]) -> None:
    """Prints a line."""
    print(json.dumps({"rows": name, **found}), flush=True)


def made(name: str, given: argparse.Namespace) -> tuple[Rows, dict[str, float]]:
    """Rows of a model that is trained here, and what that cost."""
    settings = dataclasses.replace(
        PRESETS["table"],
        data=str(given.train),
        held_out=0.0,
        epochs=given.epochs,
        seed=given.seed,
        model=name,
        target=given.target,
        **(OPTIONS[given.options] if name == "gan" else {}),
    )
    begin = time.process_time()
    recipe = TableRecipe(settings)
    data = recipe.data()
    recipe.settle(data)
    model = recipe.model(data)
    steps = recipe.steps_per_epoch(data)
    feed = recipe.feed(data)
    model.fit(feed, steps_per_epoch=steps, epochs=recipe.epochs, shuffle=False, verbose=0)
    model.calibrate(recipe.encoder(data)[1])
    fit = time.process_time() - begin
    model.generate(1000)
    begin = time.process_time()
    model.generate(_ROWS, seed=1)
    speed = _ROWS / (time.process_time() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cost = {
        "fit, processor s": round(fit, 1),
        "rows/processor s": round(speed),
        "peak, GiB": round(peak, 2),
    }
    return model.generate(len(data), seed=1), cost


def scores(train: Rows, rows: Rows, test: Rows, table: Table, target: str) -> dict[str, float]:
    """All scores of rows."""
    shapes = column_shapes(train, rows, table=table)
    apart = max((1.0 - shapes[column.name] for column in table.conditions), default=0.0)
    found = [
        table_quality(train, rows, table=table),
        table_utility(test, rows, table=table, target=target),
        table_detection(test, rows, table=table),
        table_privacy(train, rows, table=table, held_out=test),
    ]
    values = {key: value for one in found for key, value in one._asdict().items()}
    return {key: round(value, 4) for key, value in {**values, "greatest TV": apart}.items()}


if __name__ == "__main__":
    main()
