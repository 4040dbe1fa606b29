"""Stores features of reference sets on disk, so that they are computed only once."""

import contextlib
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kgan.cache import cache_dir
from kgan.files import atomic_path
from kgan.metrics.feature_extractor import Extractor
from kgan.portions import portions


def content_hash(samples: Any) -> str:
    """16 hexadecimal digits that tell samples, an array or what has `arrays`, from any other."""
    digest = hashlib.sha256()
    for array in getattr(samples, "arrays", [samples]):
        digest.update(f"{array.shape} {array.dtype}".encode())
        for part in portions(array):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:16]


def cached_features(
    extractor: Extractor, samples: np.ndarray, *, data: str, split: str
) -> np.ndarray:
    """`extractor.features(samples)`, read from disk if they were computed before.

    The name of the file is a hash of everything that the features depend on. A damaged file is
    computed again, and if the folder cannot be written to, nothing is stored.

    Args:
        extractor: The extractor.
        samples: Samples (n, ...).
        data: Name of the data, such as "mnist".
        split: Split of the data.

    Returns:
        float32 array (n, d).
    """
    key = {
        "data": data,
        "split": split,
        "n": len(samples),
        "extractor": extractor.label,
        "preprocessing": extractor.preprocessing,
        "samples": content_hash(samples),
    }
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    path = cache_dir() / "features" / f"{name}.npz"
    found = _read(path, len(samples))
    if found is not None:
        return found
    features = extractor.features(samples)
    with contextlib.suppress(OSError), atomic_path(path) as temporary:
        np.savez(temporary, features=features, digest=content_hash(features))
    return features


def _read(path: Path, n: int) -> np.ndarray | None:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as content:
            features, digest = content["features"], str(content["digest"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return features if len(features) == n and digest == content_hash(features) else None
