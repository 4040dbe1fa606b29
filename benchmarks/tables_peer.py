"""CTGAN and TVAE of the ctgan package on a table, in an environment of their own (pip: ctgan).

    python benchmarks/tables_peer.py ctgan train.csv rows.csv --epochs 60 --seed 0

Writes as many rows as the file has, and prints what they cost: a line of JSON. The package takes no
missing numbers: these get the column's median, and a column beside that says which are missing, by
which they are emptied again in the rows that are made.
"""

import argparse
import json
import resource
import time
import warnings

import numpy as np
import pandas as pd
import torch
from ctgan import CTGAN, TVAE

_GONE = " is missing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=["ctgan", "tvae"])
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    np.random.seed(given.seed)  # noqa: NPY002
    torch.manual_seed(given.seed)
    frame = pd.read_csv(given.train, keep_default_na=False, na_values=[""])
    filled, discrete = _filled(frame)
    maker = {"ctgan": CTGAN, "tvae": TVAE}[given.model]
    model = maker(epochs=given.epochs, enable_gpu=False)
    begin = time.process_time()
    model.fit(filled, discrete)
    fit = time.process_time() - begin
    model.sample(1000)
    begin = time.process_time()
    rows = model.sample(10_000)
    speed = 10_000 / (time.process_time() - begin)
    _emptied(rows[: len(frame)], list(frame.columns)).to_csv(given.out, index=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cost = {
        "fit, processor s": round(fit, 1),
        "rows/processor s": round(speed),
        "peak, GiB": round(peak, 2),
    }
    print(json.dumps({**vars(given), **cost}))


def _filled(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A frame without missing values, and the names of its categories."""
    found, discrete = {}, []
    for name in frame.columns:
        values = frame[name]
        if values.dtype.kind in "if":
            found[name] = values
            if values.isna().any():
                found[name] = values.fillna(values.median())
                found[name + _GONE] = np.where(values.isna(), "yes", "no")
                discrete.append(name + _GONE)
        else:
            found[name] = values.fillna("")
            discrete.append(name)
    return pd.DataFrame(found), discrete


def _emptied(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    found = rows[names].copy()
    for name in names:
        if name + _GONE in rows:
            found[name] = rows[name].where(rows[name + _GONE] == "no")
    return found


if __name__ == "__main__":
    main()
