"""Runs: folders with an identity, and the loop around `fit` that fills them."""
