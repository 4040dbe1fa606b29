"""Metrics beside the formulations they replace: time, memory and agreement.

    python benchmarks/metrics.py --out results.json
    python benchmarks/metrics.py --only frechet --dimensions 512
    python benchmarks/metrics.py --only pass --generator runs/mnist

`frechet`: `frechet_distance` of 10,000 samples against the square root of the product of the
covariances (`scipy.linalg.sqrtm`), medians of alternating rounds, both from the features ("whole")
and from the moments, where nothing but the two formulations differs ("formulation").
`pass`: seconds of an FID of 50,000 MNIST images of a generator (`--generator`), part by part.
`neighbours`: seconds and peak memory of `precision_recall` on 50,000 x 50,000 samples, in a process
of its own. `agreement`: relative differences from torch-fidelity 0.4.0 and prdc 0.2 on features
drawn here, where these are installed.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import io
import json
import multiprocessing
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np


def seconds_of(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def features(n: int, d: int, seed: int) -> np.ndarray:
    """Rectified, correlated, float32, as an extractor's last layer gives them."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(d).standard_normal((d, d), dtype="float32") / np.sqrt(d)
    drawn = random.standard_normal((n, d), dtype="float32") @ mix
    return np.maximum(drawn + 0.1 * seed, 0)


def trace_by_sqrtm(first: tuple, second: tuple) -> float:
    """From means and covariances, as in the reference implementations of 2017 to 2023."""
    import scipy.linalg

    root = scipy.linalg.sqrtm(first[1] @ second[1])
    gap = first[0] - second[0]
    return float(gap @ gap + np.trace(first[1]) + np.trace(second[1]) - 2 * np.trace(root).real)


def frechet_by_sqrtm(real: np.ndarray, fake: np.ndarray) -> float:
    def moments(x: np.ndarray) -> tuple:
        return np.mean(x, axis=0, dtype=np.float64), np.cov(x, rowvar=False, dtype=np.float64)

    return trace_by_sqrtm(moments(real), moments(fake))


def frechet(d: int, rounds: int, n: int = 10_000) -> dict[str, Any]:
    from kgan.metrics import Moments, frechet_distance

    real, fake = features(n, d, 0), features(n, d, 1)
    moments = [Moments(real), Moments(fake)]
    plain = [(m.mean, m.covariance) for m in moments]
    contenders: dict[str, Callable[[], float]] = {
        "whole": lambda: frechet_distance(real, fake),
        "whole, sqrtm": lambda: frechet_by_sqrtm(real, fake),
        "formulation": lambda: frechet_distance(*moments),
        "formulation, sqrtm": lambda: trace_by_sqrtm(*plain),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    values = {}
    for _ in range(rounds):
        for name, call in contenders.items():
            seconds, values[name] = seconds_of(call)
            times[name].append(seconds)
    rows: dict[str, Any] = {name: float(np.median(times[name])) for name in contenders}
    for name in ("whole", "formulation"):
        rows[f"{name}, times faster"] = rows[f"{name}, sqrtm"] / rows[name]
        rows[f"{name}, relative difference"] = abs(values[f"{name}, sqrtm"] / values[name] - 1)
    return rows


def fid_pass(generator: Path, n: int = 50_000) -> dict[str, float]:
    """Each part's seconds; the extractor is compiled before."""
    import kgan.data
    from kgan.metrics import Moments, frechet_distance
    from kgan.metrics.extractor import extractor
    from kgan.runs.source import open_source

    source = open_source(generator)
    lenet = extractor("lenet-mnist")
    real = kgan.data.load("mnist", "train").samples[:n]
    lenet.features(real[:1000])
    rows: dict[str, float] = {}
    rows["generate"], fake = seconds_of(lambda: source.generate(n, np.arange(n) % 10, 0))
    rows["features of fakes"], fake_features = seconds_of(lambda: lenet.features(fake))
    rows["features of reals"], real_features = seconds_of(lambda: lenet.features(real))
    rows["moments"], moments = seconds_of(lambda: [Moments(real_features), Moments(fake_features)])
    rows["distance"], rows["fid"] = seconds_of(lambda: frechet_distance(*moments))
    return rows


def _precision_recall(n: int, d: int) -> dict[str, float]:
    from kgan.metrics import precision_recall

    real, fake = features(n, d, 0), features(n, d, 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds, found = seconds_of(lambda: precision_recall(real, fake))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "peak GiB": peak, "GiB before": before, **found._asdict()}


def neighbours(n: int, d: int = 128) -> dict[str, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_precision_recall, (n, d))


def agreement(n: int = 3000, d: int = 128) -> dict[str, Any]:
    from kgan.metrics import density_coverage, frechet_distance, precision_recall

    real, fake = (features(n, d, seed).astype(np.float64) for seed in (0, 1))
    rows: dict[str, Any] = {}
    try:
        from prdc import compute_prdc

        with contextlib.redirect_stdout(io.StringIO()):
            theirs = compute_prdc(real, fake, nearest_k=5)
        ours = {
            **precision_recall(real, fake, k=5)._asdict(),
            **density_coverage(real, fake, k=5)._asdict(),
        }
        rows["prdc"] = {name: abs(ours[name] - float(theirs[name])) for name in ours}
    except ImportError as error:
        rows["prdc"] = f"not installed: {error}"
    try:
        # Only its extractors use torchvision.
        for name in ("", ".datasets", ".transforms", ".transforms.functional"):
            sys.modules[f"torchvision{name}"] = mock.MagicMock()
        import torch
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        statistics = [fid_features_to_statistics(torch.tensor(x)) for x in (fake, real)]
        theirs = fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
        rows["torch-fidelity"] = {"fid, relative": abs(frechet_distance(real, fake) / theirs - 1)}
    except ImportError as error:
        rows["torch-fidelity"] = f"not installed: {error}"
    return rows


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("tensorflow", "numpy", "scipy", "torch", "torch-fidelity", "prdc"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def show(title: str, rows: dict[str, Any]) -> None:
    print(title)
    for name, value in rows.items():
        print(f"  {name:<24}{f'{value:.4g}' if isinstance(value, float) else value}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", nargs="+", default=["frechet", "neighbours", "agreement"])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generator", type=Path, help="an MNIST run or model, for pass")
    parser.add_argument("--samples", type=int, default=50_000, help="of neighbours")
    options = parser.parse_args()
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
    }
    if "frechet" in options.only:
        for d in options.dimensions:
            row = results[f"frechet, n=10000, d={d}"] = frechet(d, options.rounds)
            show(f"frechet_distance, n=10000, d={d}", row)
    if "pass" in options.only:
        row = results["fid of 50,000"] = fid_pass(options.generator)
        show("FID of 50,000 MNIST images, seconds", row)
    if "neighbours" in options.only:
        row = results[f"precision_recall, n={options.samples}, d=128"] = neighbours(options.samples)
        show(f"precision_recall, {options.samples} x {options.samples}, d=128", row)
    if "agreement" in options.only:
        results["agreement"] = agreement()
        show("agreement (absolute differences but where relative)", results["agreement"])
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
