"""Scores of generated samples, as pure functions of samples, features or probabilities.

A row of `METRICS` gives any of them one call: `METRICS["fid"].scores(real, fake)` is
`{"fid": 3.2}`; `Metric.of` says what the two are.
"""

from kgan.metrics.authenticity import authenticity
from kgan.metrics.classification_accuracy import (
    classification_accuracy,
    classification_accuracy_score,
)
from kgan.metrics.density_coverage import density_coverage
from kgan.metrics.frechet import frechet_distance
from kgan.metrics.inception_score import inception_score
from kgan.metrics.kernel import kernel_distance
from kgan.metrics.likelihood import bits_per_dimension
from kgan.metrics.metric import Metric
from kgan.metrics.modes import mode_count, mode_scores, nearest_mode, stacked_mode_count
from kgan.metrics.moments import Moments
from kgan.metrics.ndb import ndb
from kgan.metrics.path_length import perceptual_path_length
from kgan.metrics.prdc import prdc
from kgan.metrics.precision_recall import precision_recall
from kgan.metrics.sliced_wasserstein import mind, sliced_wasserstein
from kgan.metrics.spectrum import spectral_distance
from kgan.metrics.table_detection import table_detection
from kgan.metrics.table_privacy import table_privacy
from kgan.metrics.table_quality import table_quality
from kgan.metrics.table_utility import table_utility

METRICS: dict[str, Metric] = {
    "fid": Metric(frechet_distance, "features", {"fid": True}, needs=("features",)),
    "kid": Metric(
        kernel_distance,
        "features",
        {"kid": True},
        needs=("features",),
        settings_for=lambda n_real, n_fake: {"subset_size": min(1000, n_real, n_fake)},
    ),
    "is": Metric(inception_score, "probabilities", {"is": False}, needs=("probabilities",)),
    "prdc": Metric(
        prdc,
        "features",
        {"precision": False, "recall": False, "density": False, "coverage": False},
        needs=("features",),
    ),
    "authenticity": Metric(
        authenticity, "features", {"authenticity": False}, needs=("features",), finds_copies=True
    ),
    "sliced_wasserstein": Metric(
        sliced_wasserstein,
        "samples",
        {"sliced_wasserstein": True},
        kinds=("images", "points"),
        equal_counts=True,
    ),
    "mind": Metric(mind, "features", {"mind": True}, needs=("features",), equal_counts=True),
    "cas": Metric(
        classification_accuracy,
        "labelled samples",
        {"cas": False, "cas_reverse": False},
        needs=("labels",),
    ),
    "modes": Metric(
        mode_scores,
        "points",
        {"modes": False, "modes_5": False, "kl": True, "reverse_kl": True, "high_quality": False},
        needs=("known modes",),
        kinds=("points",),
    ),
    "stacked_modes": Metric(
        stacked_mode_count,
        "channels",
        {
            "stacked_modes": False,
            "stacked_modes_5": False,
            "stacked_kl": True,
            "stacked_reverse_kl": True,
        },
        needs=("stacked classes",),
        kinds=("images",),
    ),
    "ndb": Metric(ndb, "samples", {"ndb": True, "ndb_js": True}, kinds=("images", "points")),
    "ppl": Metric(
        perceptual_path_length, "generator", {"ppl": True}, needs=("latents", "features")
    ),
    "bits_per_dimension": Metric(
        bits_per_dimension,
        "log-likelihoods",
        {"bits_per_dimension": True, "bits_per_dimension_train": True},
        needs=("likelihood",),
        kinds=("images",),
    ),
    "spectrum": Metric(
        spectral_distance, "samples", {"spectral_distance": True}, kinds=("images",)
    ),
    "table_quality": Metric(
        table_quality,
        "rows",
        {"quality": False, "column_shapes": False, "pair_trends": False},
        kinds=("table",),
    ),
    "table_utility": Metric(
        table_utility,
        "rows",
        {
            "utility": False,
            "utility_logistic": False,
            "utility_auc": False,
            "utility_f1": False,
            "utility_auprc": False,
        },
        needs=("target",),
        kinds=("table",),
        learns=True,
    ),
    "table_detection": Metric(
        table_detection,
        "rows",
        {"undetected": False, "undetected_logistic": False},
        kinds=("table",),
    ),
    "table_privacy": Metric(
        table_privacy,
        "rows",
        {"closer_to_train": True, "membership_auc": True, "copies": True},
        needs=("held-out rows",),
        kinds=("table",),
        finds_copies=True,
        floor=False,
    ),
}

__all__ = [
    "METRICS",
    "Metric",
    "Moments",
    "authenticity",
    "bits_per_dimension",
    "classification_accuracy",
    "classification_accuracy_score",
    "density_coverage",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "mind",
    "mode_count",
    "mode_scores",
    "ndb",
    "nearest_mode",
    "perceptual_path_length",
    "prdc",
    "precision_recall",
    "sliced_wasserstein",
    "spectral_distance",
    "stacked_mode_count",
    "table_detection",
    "table_privacy",
    "table_quality",
    "table_utility",
]
