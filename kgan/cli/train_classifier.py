"""`kgan train-classifier [PRESET] [options]`: a classifier to attack, saved as a .keras file."""

from typing import cast

from kgan.cli.command_line import Request
from kgan.runs.classifying import train_classifier
from kgan.settings import ClassifierSettings


def main(request: Request) -> int:
    """The body of `kgan train-classifier`."""
    settings = cast(ClassifierSettings, request.settings)
    return train_classifier(
        settings,
        name=request.name,
        preset=request.preset,
        run=request.run,
        kept=request.given,
    )
