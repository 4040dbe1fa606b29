"""What images of the user's own are trained with, where no preset is named.

The choice follows the number of images and their size; `benchmarks/few_images.py` measured it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from kgan.settings.gan import PRESETS, GANSettings

FEW = 10_000
"""Below as many images a discriminator soon knows them by heart, and needs augmentation."""


class Choice(NamedTuple):
    """Settings that suit some images.

    Attributes:
        name: What they are called.
        why: The reason, in a line.
        changes: The settings that differ from those of the preset `auto`, by name.
    """

    name: str
    why: str
    changes: Mapping[str, Any]


def choice(count: int, shape: tuple[int, ...]) -> Choice:
    """Chooses the settings for images.

    Args:
        count: How many there are.
        shape: (height, width, channels).
    """
    height, width, _ = shape
    name, why = "mnist", "learns most in minutes"
    changes: dict[str, Any] = {"steps_per_epoch": 400, "epochs": 20}
    if count < FEW:
        changes["augment"] = "diffaugment"
        name, why = f"{name} with diffaugment", f"{why}, and so few are soon known by heart"
    base = PRESETS["auto"]
    differing = {**_all_but_data(PRESETS["mnist"]), **changes}
    return Choice(
        name,
        f"for {count:,} images of {height}x{width} it {why}",
        {key: value for key, value in differing.items() if value != getattr(base, key)},
    )


# What a preset says of its data, and how it is read, is not part of the choice.
_OF_DATA = ("data", "split", "flip", "conditional")


def _all_but_data(preset: GANSettings) -> dict[str, Any]:
    return {
        field.name: getattr(preset, field.name)
        for field in dataclasses.fields(preset)
        if field.name not in _OF_DATA
    }
