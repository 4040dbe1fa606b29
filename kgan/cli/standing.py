"""The statistics of batch normalisation as commands make them anew."""

from pathlib import Path
from typing import Any

from kgan.models import GAN
from kgan.models.standing import stand_for


def stand(model: Any, batches: int, *, source: Path, truncation: float | None) -> None:
    """Sets a model's statistics to those of samples that it will make.

    Args:
        model: What the source holds.
        batches: As for `kgan.models.standing.stand_for`.
        source: What the user named.
        truncation: As for `kgan.models.standing.stand_for`.

    Raises:
        ValueError: If it is no GAN, or one without such statistics.
    """
    if not isinstance(model, GAN):
        raise ValueError(
            f"standing_statistics must be left out: {source} is no run or .keras file of a GAN, "
            "whose statistics could be made anew."
        )
    try:
        # By one seed whatever is sampled, as an export has them.
        stand_for(model, batches, truncation=truncation)
    except ValueError as error:
        raise ValueError(f"standing_statistics must be left out for this model: {error}") from error
