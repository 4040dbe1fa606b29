"""`kgan train [PRESET] [options]`: train, keep everything in a run folder, export."""

from typing import Any

from kgan.cli.command_line import Request
from kgan.recipes import RECIPES
from kgan.runs.training import export_model, train


def main(request: Request) -> int:
    """The body of `train.py` and `kgan train`."""
    settings: Any = request.settings
    return train(
        RECIPES[settings.family](settings),
        name=request.name,
        preset=request.preset,
        run=request.run,
        kept=request.given,
        finish=export_model,
    )
