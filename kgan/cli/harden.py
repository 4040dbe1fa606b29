"""`kgan harden [PRESET] [options]`: train a classifier against attacks, and compare."""

from typing import cast

from kgan.cli.command_line import Request
from kgan.models.norm_ball import USUAL_RADII
from kgan.runs.hardening import harden
from kgan.settings import HardeningSettings


def main(request: Request) -> int:
    """The body of `kgan harden`."""
    settings = cast(HardeningSettings, request.settings)
    if request.run is None and settings.norm != "linf" and "epsilon" not in request.given:
        raise ValueError(
            f"epsilon must be given for the norm {settings.norm}: the default, "
            f"{settings.epsilon:.4g}, is one of linf. For grey images of digits "
            f"{USUAL_RADII[settings.norm]:g} is usual."
        )
    return harden(
        settings,
        name=request.name,
        preset=request.preset,
        run=request.run,
        kept=request.given,
        command=request.command,
    )
