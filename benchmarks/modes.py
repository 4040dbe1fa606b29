"""How many modes of `ring` or `grid` a generator covers, by the published protocol.

2,500 samples; high quality is within 3 deviations of the nearest mode; a mode counts with one such
sample; KL is that of the samples' modes to the uniform law (Lin et al. 2018, arXiv:1712.04086).
Perfect samples score 98.9% and a KL of about 0.001 (ring) or 0.005 (grid).

    python benchmarks/modes.py ring saved_models/ring
"""

import sys
from pathlib import Path

import numpy as np

import kgan.data
from kgan.cli.sample import SampleConfig, generate

SETS = {
    "ring": (kgan.data.ring_centres(), kgan.data.RING_DEVIATION),
    "grid": (kgan.data.grid_centres(), kgan.data.GRID_DEVIATION),
}


def score(points: np.ndarray, name: str) -> tuple[int, float, float]:
    """(modes, share of high quality, KL to uniform) of points (n, 2)."""
    centres, deviation = SETS[name]
    distances = np.linalg.norm(points[:, None] - centres, axis=2)
    mode, good = distances.argmin(axis=1), distances.min(axis=1) <= 3 * deviation
    counts = np.bincount(mode[good], minlength=len(centres))
    share = counts[counts > 0] / max(counts.sum(), 1)
    return (
        int((counts > 0).sum()),
        float(good.mean()),
        float(np.sum(share * np.log(share * len(centres)))),
    )


def main(name: str, source: str) -> None:
    """Prints the scores."""
    points, _ = generate(SampleConfig(Path(source), n=2500))
    modes, quality, divergence = score(points, name)
    print(f"{modes} of {len(SETS[name][0])} modes, KL {divergence:.4f}")
    print(f"{quality:.1%} of the samples within 3 deviations")


if __name__ == "__main__":
    main(*sys.argv[1:3])
