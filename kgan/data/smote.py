"""New samples of rare classes on the way between neighbours (SMOTE)."""

import numpy as np
from sklearn.neighbors import NearestNeighbors


def smote(
    features: np.ndarray,
    labels: np.ndarray,
    wanted: np.ndarray,
    *,
    neighbours: int = 5,
    seed: int = 0,
) -> np.ndarray:
    """Points between a sample and one of its nearest neighbours of the same class.

    Of pixels the result is two images on top of each other; of the latents of an autoencoder it is
    decoded to an image between the two.

    Args:
        features: float (n, features) of real samples.
        labels: Their classes, int (n,).
        wanted: Classes of the new ones, int (m,); each with two samples at least.
        neighbours: How many are near, at least 1; a small class has fewer.
        seed: Seed of the draws.

    Returns:
        Of the type of `features`, (m, features).

    Reference: Chawla et al. 2002 (arXiv:1106.1813); Dablain et al. 2021, DeepSMOTE
    (arXiv:2105.02340), for latents.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours must be at least 1, got {neighbours}.")
    random = np.random.default_rng(seed)
    made = np.empty((len(wanted), features.shape[1]), features.dtype)
    for label in np.unique(wanted):
        own = features[labels == label]
        if len(own) < 2:
            raise ValueError(f"class {label} must have two samples for SMOTE, has {len(own)}.")
        count = min(neighbours, len(own) - 1)
        # The nearest of all is the sample itself, or its double.
        near = NearestNeighbors(n_neighbors=count + 1).fit(own).kneighbors(own)[1]
        near = np.array([[one for one in row if one != i][:count] for i, row in enumerate(near)])
        places = np.flatnonzero(wanted == label)
        first = random.integers(0, len(own), len(places))
        second = near[first, random.integers(0, count, len(places))]
        share = random.random((len(places), 1)).astype(features.dtype)
        made[places] = own[first] + share * (own[second] - own[first])
    return made
