"""Settings of the CUT family."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from kgan.settings.groups import check_at_least
from kgan.settings.unpaired import UnpairedSettings


@dataclass(frozen=True, kw_only=True)
class CUTSettings(UnpairedSettings):
    """Train CUT, which translates one set of images to another without pairs; export it."""

    family: ClassVar[str] = "cut"

    # Objective
    nce_weight: float = 1.0
    """Weight of keeping what lies where, as published (FastCUT: 10)."""
    identity: bool = True
    """Let images of B keep what lies where, too."""
    flip_equivariance: bool = False
    """Mirror what is translated in half of the steps, and what is compared back (FastCUT)."""
    patches: int = 256
    """Places that are compared at each depth of the generator."""
    projection: int = 256
    """Length of the vectors that are compared."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 0, "nce_weight")
        check_at_least(self, 2, "patches")
        check_at_least(self, 1, "projection")


_DIGITS = CUTSettings(
    generator_width=16,
    discriminator_width=32,
    batch_size=8,
    epochs=15,
    steps_per_epoch=100,
    g_learning_rate=1e-3,
    d_learning_rate=1e-3,
    patches=64,
    projection=64,
)

PRESETS: dict[str, CUTSettings] = {
    "cut": _DIGITS,
    "fastcut": dataclasses.replace(
        _DIGITS, nce_weight=10.0, identity=False, flip_equivariance=True
    ),
    # As published, for folders of photographs and a GPU.
    "cut-photos": CUTSettings(flip=True, batch_size=1, epochs=400),
}
