"""Scores of generated samples, as pure functions of samples, features or probabilities."""

from kgan.metrics.sliced_wasserstein import sliced_wasserstein

METRICS = {"sliced_wasserstein": sliced_wasserstein}

__all__ = ["METRICS", "sliced_wasserstein"]
