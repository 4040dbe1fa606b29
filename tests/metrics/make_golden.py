"""Writes golden.json: what torch-fidelity and prdc say of features that the tests draw again.

    pip install torch==2.13.0 torch-fidelity==0.4.0 prdc==0.2
    python tests/metrics/make_golden.py

torch-fidelity imports torchvision for its extractors, none of which is used here. A stand-in takes
its place, so that it need not be the build that matches torch's (CPU or CUDA).

Only scores and versions are stored; `cases` draws the features from a seed wherever it is called.
torch-fidelity is given the fakes first, as it asks for, and draws KID's subsets from a legacy
`RandomState` in that order: `KID_SEED`, `KID_SUBSETS` and `KID_SIZE` let the tests draw them too.
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from unittest import mock

import numpy as np

GOLDEN = Path(__file__).with_name("golden.json")
KID_SEED, KID_SUBSETS, KID_SIZE = 2020, 10, 90
NEIGHBOURS = (3, 5)


def cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pairs (real, fake) of float64 features."""
    random = np.random.default_rng(1234)

    def normal(*shape):
        return random.standard_normal(shape)

    mix = normal(24, 24) / 5
    return {
        # Fakes narrower than the real data: precision and recall differ.
        "many samples": (normal(1200, 24) @ mix, 0.7 * normal(1000, 24) @ mix + 0.1),
        # Fewer samples than features: both covariances are singular.
        "few samples": (normal(150, 200), 0.8 * normal(100, 200) + 0.2),
        # Far from zero, where expanded distances cancel.
        "offset": (normal(800, 8) + 1000, 1.2 * normal(900, 8) + 1000.3),
        # Rectified, with features that never fire.
        "rectified": (
            np.maximum(normal(700, 40) - np.linspace(0, 9, 40), 0),
            np.maximum(normal(600, 40) - np.linspace(0.2, 9, 40), 0),
        ),
    }


def logits() -> np.ndarray:
    """(1003, 10) float64 logits: splits of unequal length."""
    return 3 * np.random.default_rng(99).standard_normal((1003, 10))


def main() -> None:
    for name in ("", ".datasets", ".transforms", ".transforms.functional"):
        sys.modules[f"torchvision{name}"] = mock.MagicMock()
    import torch
    from prdc import compute_prdc
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    packages = ("torch-fidelity", "prdc", "torch", "numpy", "scipy", "scikit-learn")
    golden: dict = {"versions": {name: importlib.metadata.version(name) for name in packages}}
    for name, (real, fake) in cases().items():
        tensors = torch.tensor(fake), torch.tensor(real)
        row = golden[name] = {}
        statistics = [fid_features_to_statistics(features) for features in tensors]
        row["fid"] = fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
        kid = kid_features_to_metric(
            *tensors, kid_subsets=KID_SUBSETS, kid_subset_size=KID_SIZE, rng_seed=KID_SEED,
            verbose=False,
        )  # fmt: skip
        row["kid"] = kid["kernel_inception_distance_mean"]
        row["kid_std"] = kid["kernel_inception_distance_std"]
        for k in NEIGHBOURS:
            found = compute_prdc(real, fake, nearest_k=k)
            row[f"prdc, k={k}"] = {key: float(value) for key, value in found.items()}
            found = prc_features_to_metric(*tensors, prc_neighborhood=k, verbose=False)
            row[f"torch-fidelity, k={k}"] = {key: found[key] for key in ("precision", "recall")}
    score = isc_features_to_metric(torch.tensor(logits()), splits=10, shuffle=False)
    golden["is"] = {key: score[f"inception_score_{key}"] for key in ("mean", "std")}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
