"""Runs: folders that record a training, and the loop around `fit` that fills them."""
