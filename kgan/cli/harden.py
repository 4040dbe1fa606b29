"""`kgan harden [PRESET] [options]`: train a classifier against attacks, and compare."""

from typing import cast

from kgan.cli.command_line import Request
from kgan.runs.hardening import harden
from kgan.settings import HardeningSettings


def main(request: Request) -> int:
    """The body of `kgan harden`."""
    settings = cast(HardeningSettings, request.settings)
    return harden(settings, name=request.name, preset=request.preset, run=request.run)
