"""What a private table is worth: Adult, by epsilon, beside what is not private and what is simpler.

    python benchmarks/private_tables.py declare adult.csv FOLDER
    python benchmarks/private_tables.py run FOLDER/adult.csv income --epsilons 1 3 10 --out FILE

`declare` writes the table and, beside it, what its columns may hold by the published description of
the data. `run` prints a line of JSON for each kind of rows, epsilon and seed, with the scores that
`kgan evaluate` gives, of as many rows as were learnt from:

- without a promise: real, other real rows; majority, one answer for all; gan and copula as
  `kgan train table` makes them; columns, each shuffled for itself.
- with a promise: gan and copula; columns, drawn from noisy counts; star, from noisy counts of the
  pairs of each column with the target, which makes columns independent where that is given
  (naive Bayes), all of epsilon spent on these.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import kgan.privacy
from kgan.data import Dataset
from kgan.kinds import Table
from kgan.metrics.table_detection import table_detection
from kgan.metrics.table_privacy import table_privacy
from kgan.metrics.table_quality import independent_columns, table_quality
from kgan.metrics.table_utility import table_utility
from kgan.networks import private_counts
from kgan.networks.private_counts import cells_of, on_simplex
from kgan.recipes import TableRecipe
from kgan.rows import Category, Rows
from kgan.settings.table import PRESETS, TableSettings

# By "adult.names" of the UCI repository; numbers by what they mean.
_CATEGORIES = {
    "workclass": "Private Self-emp-not-inc Self-emp-inc Federal-gov Local-gov State-gov "
    "Without-pay Never-worked ?",
    "education": "Bachelors Some-college 11th HS-grad Prof-school Assoc-acdm Assoc-voc 9th "
    "7th-8th 12th Masters 1st-4th 10th Doctorate 5th-6th Preschool",
    "marital-status": "Married-civ-spouse Divorced Never-married Separated Widowed "
    "Married-spouse-absent Married-AF-spouse",
    "occupation": "Tech-support Craft-repair Other-service Sales Exec-managerial Prof-specialty "
    "Handlers-cleaners Machine-op-inspct Adm-clerical Farming-fishing Transport-moving "
    "Priv-house-serv Protective-serv Armed-Forces ?",
    "relationship": "Wife Own-child Husband Not-in-family Other-relative Unmarried",
    "race": "White Asian-Pac-Islander Amer-Indian-Eskimo Other Black",
    "sex": "Female Male",
    "native-country": "United-States Cambodia England Puerto-Rico Canada Germany "
    "Outlying-US(Guam-USVI-etc) India Japan Greece South China Cuba Iran Honduras Philippines "
    "Italy Poland Jamaica Vietnam Mexico Portugal Ireland France Dominican-Republic Laos Ecuador "
    "Taiwan Haiti Columbia Hungary Guatemala Nicaragua Scotland Thailand Yugoslavia El-Salvador "
    "Trinadad&Tobago Peru Hong Holand-Netherlands ?",
    "income": ">50K <=50K",
}
_NUMBERS = {
    "age": (17, 90),
    "fnlwgt": (0, 1_500_000),
    "education-num": (1, 16),
    "capital-gain": (0, 99_999),
    "capital-loss": (0, 5_000),
    "hours-per-week": (1, 99),
}
_OPEN = ("real", "majority", "gan", "copula", "columns")
_PRIVATE = ("gan", "copula", "columns", "star")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("do", choices=("declare", "run"))
    parser.add_argument("data", type=Path)
    parser.add_argument("given", help="the target, or the folder to write to")
    parser.add_argument("--open", nargs="*", default=_OPEN, choices=_OPEN)
    parser.add_argument("--private", nargs="*", default=_PRIVATE, choices=_PRIVATE)
    parser.add_argument("--epsilons", nargs="*", type=float, default=[1, 3, 10])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=60, help="of the GAN without a promise")
    parser.add_argument("--set", nargs="*", default=[], help="NAME=VALUE of a private training")
    parser.add_argument("--light", action="store_true", help="quality and utility alone")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.do == "declare":
        declare(given.data, Path(given.given))
        return
    for seed in given.seeds:
        cases = [(name, None) for name in given.open]
        cases += [(name, epsilon) for epsilon in given.epsilons for name in given.private]
        for name, epsilon in cases:
            begin = time.process_time()
            rows, train, test, told = made(name, epsilon, seed, given)
            told["made in, s"] = round(time.process_time() - begin, 1)
            found = scores(rows, train, test, given.given, light=given.light)
            line = json.dumps({"rows": name, "epsilon": epsilon, "seed": seed, **told, **found})
            print(line, flush=True)
            if given.out is not None:
                with given.out.open("a") as file:
                    file.write(line + "\n")


def declare(source: Path, folder: Path) -> None:
    """Writes the table, and what its columns may hold."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(source, skipinitialspace=True, keep_default_na=False)
    table.to_csv(folder / "adult.csv", index=False)
    declared: dict[str, Any] = {
        name: {"type": "category", "values": values.split()} for name, values in _CATEGORIES.items()
    }
    for name, (low, high) in _NUMBERS.items():
        declared[name] = {"type": "integer", "low": low, "high": high}
    (folder / "adult.columns.json").write_text(json.dumps(declared, indent=1) + "\n")


def made(
    name: str, epsilon: float | None, seed: int, given: argparse.Namespace
) -> tuple[Rows, Dataset, Dataset, dict[str, Any]]:
    """Rows, the data they were learnt from, the rows that were held out, and what it took."""
    recipe = TableRecipe(settings_of(name, epsilon, seed, given))
    data = recipe.data()
    train, test = data, recipe.real_data("").held_out
    if name == "real":
        return test.samples, train, test, {}
    if name == "majority":
        return majority(train, given.given), train, test, {}
    if name == "columns" and epsilon is None:
        return independent_columns(train.samples, seed=seed), train, test, {}
    if name in ("columns", "star"):
        noise = kgan.privacy.noise_for(
            epsilon, sampling_rate=1.0, steps=1, delta=recipe.settings.delta
        )
        target = given.given if name == "star" else None
        return noisy_rows(train, noise, target, seed), train, test, {"noise": round(noise, 3)}
    recipe.settle(data)
    model = recipe.model(data)
    steps = recipe.steps_per_epoch(data)
    feed = recipe.feed(data)
    model.fit(feed, steps_per_epoch=steps, epochs=recipe.epochs, shuffle=False, verbose=0)
    if recipe.private:
        model.calibrate(None)
        promise = model.endpoints().details["privacy"]
        told = {
            key: round(promise[key], 4) for key in ("epsilon", "noise", "steps", "sampling_rate")
        }
        told = {"promised": told.pop("epsilon"), **told}
        told["counts' noise"] = round(recipe.counts_noise, 3)
    else:
        model.calibrate(recipe.encoder(data)[1])
        told = {"steps": steps * recipe.epochs}
    return model.generate(len(data), seed=seed + 1), train, test, told


def settings_of(
    name: str, epsilon: float | None, seed: int, given: argparse.Namespace
) -> TableSettings:
    """What is trained."""
    model = name if name in ("gan", "copula") else "gan"
    changed: dict[str, Any] = {"data": str(given.data), "seed": seed, "model": model}
    changed["target"] = given.given
    if epsilon is None:
        return dataclasses.replace(PRESETS["table"], epochs=given.epochs, **changed)
    for one in given.set:
        key, _, value = one.partition("=")
        changed[key] = json.loads(value)
    return dataclasses.replace(PRESETS["table"], epsilon=epsilon, **changed)


def majority(train: Dataset, target: str) -> Rows:
    """The rows, each with the most frequent value of the target."""
    values, counts = np.unique(train.samples[target], return_counts=True)
    columns = dict(train.samples.columns)
    columns[target] = np.full(len(train), values[counts.argmax()], columns[target].dtype)
    return Rows(columns)


def noisy_rows(train: Dataset, noise: float, target: str | None, seed: int) -> Rows:
    """Rows of noisy counts: of columns, or of their pairs with the target."""
    table = train.kind
    assert isinstance(table, Table)
    secret, random = np.random.default_rng(), np.random.default_rng(seed)
    n = len(train)
    # Where there is a target, one table of counts for each other column.
    groups = np.zeros(n, int)
    made_groups, share = groups, np.ones(1)
    tables = len(table.learnt)
    columns = {}
    if target is not None:
        column = table.column(target)
        assert isinstance(column, Category)
        groups = column.codes(train.samples[target])
        deviation = noise * np.sqrt(tables)
        counts = np.bincount(groups, minlength=len(column.values))
        share = on_simplex(counts + secret.normal(0, deviation, len(counts)), n)
        made_groups = random.choice(len(share), n, p=share)
        columns[target] = np.array(column.values, column.dtype)[made_groups]
    codes = private_counts(table, train.samples, noise=1.0)
    for column in table.learnt:
        if column.name == target:
            continue
        own = codes[column.name]
        cells, deviation = len(own.shares), noise * np.sqrt(tables)
        drawn = np.zeros(n, int)
        for group in range(len(share)):
            counts = np.bincount(own.codes[groups == group], minlength=cells)
            noisy = counts + secret.normal(0, deviation, cells)
            places = made_groups == group
            shares = on_simplex(noisy, max(share[group] * n, 1.0))
            drawn[places] = random.choice(cells, places.sum(), p=shares / shares.sum())
        if isinstance(column, Category):
            columns[column.name] = np.array(column.values, column.dtype)[drawn]
        else:
            low, high = cells_of(column)
            value = low[drawn] + (high - low)[drawn] * random.random(n)
            columns[column.name] = np.clip(np.round(value), column.low, column.high).astype(
                column.dtype
            )
    return Rows({one.name: columns[one.name] for one in table.columns})


def scores(
    rows: Rows, train: Dataset, test: Dataset, target: str, *, light: bool
) -> dict[str, float]:
    """All scores of rows."""
    table = train.kind
    assert isinstance(table, Table)
    real, held_out = train.samples, test.samples
    found: list[Any] = [
        table_quality(real, rows, table=table),
        # Other real rows are what is held out: they learn from those that the others had.
        table_utility(held_out, real if rows is held_out else rows, table=table, target=target),
    ]
    if not light and rows is not held_out:
        found.append(table_detection(held_out, rows, table=table))
        found.append(table_privacy(real, rows, table=table, held_out=held_out))
    values = {key: value for one in found for key, value in one._asdict().items()}
    return {key: round(value, 4) for key, value in values.items()}


if __name__ == "__main__":
    main()
