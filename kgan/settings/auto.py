"""What images of the user's own are trained with, where no preset is named.

The choice follows the number of images and their size. `benchmarks/image_presets.py` compares it
with other presets on images of one's own, in equal processor time.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from kgan.settings.gan import PRESETS, GANSettings

FEW = 5_000
"""Of fewer images so long a training shows each 100 times and more, so they are augmented."""


# A GAN's own settings that say nothing of what was trained.
_OF_A_TRAINING = {
    *("freeze_discriminator", "autoencoder_steps", "phase_steps"),
    *("augment", "augment_target", "augment_images"),
}
OF_SOURCE = frozenset(
    field.name
    for field in dataclasses.fields(GANSettings)
    if field.name in GANSettings.__annotations__ and field.name not in _OF_A_TRAINING
)
"""What a training that starts from another's weights takes of that one's settings: the networks,
the objective and the optimizers."""


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


def choice(count: int, shape: tuple[int, ...], *, augments: bool = True) -> Choice:
    """Chooses the settings for images.

    Args:
        count: How many there are.
        shape: (height, width, channels).
        augments: Whether the other settings let images be augmented, as packing does not.
    """
    height, width, _ = shape
    preset = PRESETS["mnist"]
    changes = {
        **{name: getattr(preset, name) for name in _names() if name not in _OF_DATA},
        # A step in bfloat16 takes two thirds of the time, and no worse images were seen.
        "precision": "auto",
        # In proportion to the pixels, as Karras et al. 2020 (arXiv:2006.06676) choose it.
        "penalty_weight": _PENALTY * max(1.0, height * width / _PIXELS),
    }
    name = "mnist"
    why = f"a small network that learns fast, with a penalty that suits {height}x{width}"
    if count < FEW and augments:
        # Ten times the published pace, at which this training would end at full strength.
        changes |= {"augment": "ada-upright", "augment_images": 50_000}
        name = f"{name} with ada-upright"
        why = f"{why}; {count:,} images are few and would be known by heart"
    else:
        why = f"{why}; {count:,} images go without augmentation"
    base = PRESETS["auto"]
    return Choice(name, why, {n: one for n, one in changes.items() if one != getattr(base, n)})


# What a preset says of its data, how it is read and how long it trains is not part of the choice.
_OF_DATA = ("data", "split", "flip", "conditional", "epochs", "steps_per_epoch")
# Letters, clothes and emoji of 32 pixels came out far better with it than with the digits' .01.
_PENALTY, _PIXELS = 0.5, 32 * 32


def _names() -> list[str]:
    return [field.name for field in dataclasses.fields(GANSettings)]
