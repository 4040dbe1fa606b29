"""How many modes a generator covers, by the published protocols, beside a perfect generator's.

`ring` and `grid`: 2,500 samples; high quality is within 3 deviations of the nearest mode, and a
mode counts with one such sample; within_1 is the share within one, more than a perfect generator's
where modes are too narrow. `stacked-mnist`: 26,000 samples; the shipped LeNet reads each channel,
and the three digits are the mode (Lin et al. 2018, arXiv:1712.04086). KL is that of the samples'
modes to the uniform law. `packing-1`, `-2` and `-4` are Stacked MNIST with a discriminator of a
quarter of the generator's width and no penalty, which collapses, and packing against it.

    python benchmarks/modes.py ring --source saved_models/ring
    python benchmarks/modes.py grid --seeds 10 --out grid.json
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import kgan.data
from kgan.metrics import METRICS
from kgan.metrics.extractor import extractor
from kgan.metrics.modes import mode_count, stacked_mode_count
from kgan.runs.source import open_source

SAMPLES = {"ring": 2500, "grid": 2500}
STACKED_SAMPLES = 26_000
STACKED_MODES = 1000
WEAK = [
    *("--loss", "non_saturating", "--penalty", "--discriminator-width", "16", "--batch-size", "64"),
    *("--g-learning-rate", "2e-4", "--d-learning-rate", "2e-4", "--beta-1", "0.5"),
]
RUNS = {
    "ring": ("ring", []),
    "grid": ("grid", []),
    "stacked-mnist": ("stacked-mnist", []),
    **{f"packing-{m}": ("stacked-mnist", [*WEAK, "--packing", str(m)]) for m in (1, 2, 4)},
}
HIGHER_IS_BETTER = ("modes", "modes_5", "high_quality")


def score(name: str, samples: np.ndarray, classify=None) -> dict[str, float]:
    """Scores of samples on a benchmark."""
    if name in kgan.data.MIXTURES:
        centres, deviation = kgan.data.MIXTURES[name]
        scores = METRICS["modes"].scores(centres, samples, deviation=deviation)
        # High quality is within three deviations.
        near = METRICS["modes"].scores(centres, samples, deviation=deviation / 3)
        return scores | {"within_1": near["high_quality"]}
    return stacked_mode_count(samples, classify=classify)._asdict()


def ceiling(name: str) -> dict[str, float]:
    """What a perfect generator scores on average (the classifier's errors apart)."""
    modes = len(kgan.data.MIXTURES[name][0]) if name in kgan.data.MIXTURES else STACKED_MODES
    random = np.random.default_rng(0)
    draws = random.integers(modes, size=(100, SAMPLES.get(name, STACKED_SAMPLES)))
    scores = {
        key: float(np.mean([getattr(mode_count(draw, modes), key) for draw in draws]))
        for key in ("modes", "modes_5", "kl")
    }
    # A two-dimensional Gaussian's mass within 3 deviations, and within one.
    masses = {"high_quality": 1 - np.exp(-4.5), "within_1": 1 - np.exp(-0.5)}
    return scores | (masses if name in kgan.data.MIXTURES else {})


def train(name: str, seed: int, folder: Path, options: list[str]) -> tuple[Path, float | None]:
    """The exported generator of a preset's run and the seconds it took; none where it was there."""
    preset, own = RUNS[name]
    run = f"{name}-seed{seed}"
    exported = folder / "models" / run
    if exported.is_dir():
        return exported, None
    begin = time.perf_counter()
    subprocess.run(
        [
            *(sys.executable, "train.py", preset, "--name", run, "--seed", str(seed)),
            *("--runs-dir", str(folder / "runs"), "--export-dir", str(folder / "models")),
            *(*own, *options),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return exported, time.perf_counter() - begin


def summary(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Median and worst of each score over the seeds."""
    names = [key for key in rows[0] if key not in ("source", "seconds")]
    worst = {key: min if key in HIGHER_IS_BETTER else max for key in names}
    return {
        "median": {key: float(np.median([row[key] for row in rows])) for key in names},
        "worst": {key: float(worst[key](row[key] for row in rows)) for key in names},
    }


def main(arguments: list[str] | None = None) -> None:
    """Prints a table, and writes it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RUNS)
    parser.add_argument("--source", nargs="*", default=[], help="exported models or run folders")
    parser.add_argument("--seeds", type=int, default=0, help="train the preset with so many seeds")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/modes-runs"))
    parser.add_argument("--out", type=Path, help="a JSON file")
    known, options = parser.parse_known_args(arguments)
    trained = (train(known.name, seed, known.folder, options) for seed in range(known.seeds))
    classify = None if known.name in kgan.data.MIXTURES else extractor("lenet-mnist").probabilities
    n = SAMPLES.get(known.name, STACKED_SAMPLES)
    rows = []
    print(f"{known.name}, {n:,} samples")
    for source, seconds in [*((Path(path), None) for path in known.source), *trained]:
        samples = open_source(source).generate(n, None, 0)
        rows.append(
            {"source": str(source), "seconds": seconds, **score(known.name, samples, classify)}
        )
        print(_line(source.name, rows[-1]), flush=True)
    if not rows:
        parser.error("give --source or --seeds.")
    table = {"name": known.name, "samples": n, "perfect": ceiling(known.name), "runs": rows}
    table |= summary(rows)
    for name in ("median", "worst", "perfect"):
        print(_line(name, table[name]))
    if known.out:
        known.out.write_text(json.dumps(table, indent=2) + "\n")


def _line(name: str, scores: dict) -> str:
    shown = [f"{key} {value:.4g}" for key, value in scores.items() if isinstance(value, float)]
    return f"{name:<24}{'  '.join(shown)}"


if __name__ == "__main__":
    main()
