"""Rows a second of kgan's table models and of ctgan's, in alternating rounds of one process.

    TF_NUM_INTRAOP_THREADS=1 python benchmarks/tables_sampling.py train.csv income

Both are trained for one epoch, which changes no cost of a row; processor time of 10,000 rows of new
seeds, and the median of the rounds' ratios. The environment has kgan and ctgan (pip).
"""

import argparse
import dataclasses
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch._dynamo  # before TensorFlow: torch's optimizers crash where this comes later
from ctgan import CTGAN, TVAE
from tables_peer import _filled

from kgan.recipes import TableRecipe
from kgan.settings.table import PRESETS

ROWS = 10_000


def ours(name: str, path: Path, target: str) -> Callable[[int], object]:
    settings = dataclasses.replace(
        PRESETS["table"], data=str(path), held_out=0.0, epochs=1, model=name, target=target
    )
    recipe = TableRecipe(settings)
    data = recipe.data()
    recipe.settle(data)
    model = recipe.model(data)
    steps = recipe.steps_per_epoch(data)
    model.fit(recipe.feed(data), steps_per_epoch=steps, shuffle=False, verbose=0)
    model.calibrate(recipe.encoder(data)[1])
    return lambda seed: model.generate(ROWS, seed=seed)


def theirs(name: str, path: Path) -> Callable[[int], object]:
    maker = {"gan": CTGAN, "tvae": TVAE}[name]
    model = maker(epochs=1, enable_gpu=False)
    model.fit(*_filled(pd.read_csv(path, keep_default_na=False, na_values=[""])))
    return lambda seed: model.sample(ROWS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("target")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for name in ("gan", "tvae"):
        calls = [ours(name, given.train, given.target), theirs(name, given.train)]
        seconds: list[list[float]] = [[], []]
        for number in range(given.rounds + 1):
            for call, taken in zip(calls, seconds, strict=True):
                begin = time.process_time()
                call(number)
                if number:
                    taken.append(time.process_time() - begin)
        own, peers = np.median(seconds, axis=1)
        ratios = np.divide(seconds[1], seconds[0])
        print(
            f"{name}: kgan {1000 * own:.0f} ms, ctgan {1000 * peers:.0f} ms for {ROWS:,} rows; "
            f"{np.median(ratios):.2f} times as fast ({ratios.min():.2f} to {ratios.max():.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
