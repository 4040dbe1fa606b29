"""A row of `METRICS`: a function, the names of its scores, and what they need."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Literal

Of = Literal[
    "features",
    "probabilities",
    "samples",
    "rows",
    "points",
    "channels",
    "labelled samples",
    "generator",
    "log-likelihoods",
]

NEEDS = {
    "features": "an extractor (--extractor inception, discriminator or FILE.keras)",
    "probabilities": "an extractor that is a classifier",
    "known modes": "data with known modes (ring, grid)",
    "stacked classes": "stacked-mnist",
    "latents": "a run or a .keras file, whose latents are at hand",
    "labels": "labelled images, real and generated",
    "target": "a column to tell (--target NAME)",
    "held-out rows": "rows of a table that were not learnt from",
    "likelihood": "a run or a .keras file whose model has a likelihood, such as a VAE",
}
"""What a metric may need of the data or of the source of samples, in words for an error."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric and the data that it is computed from.

    Attributes:
        function: Takes (real, fake), or fake alone for "probabilities", "channels" and "generator";
            returns one number or a NamedTuple that begins with the scores.
        of: Form of `real` and `fake`. "features": (n, d) arrays from an extractor.
            "probabilities": (n, classes). "samples": images or points as they are. "rows": rows of
            a table, whose kind is passed as `table`. "points": `real` are the centres of the modes.
            "channels": images. "labelled samples": pairs (samples, labels). "generator": `fake`
            maps latents to samples. "log-likelihoods": of training samples, and of held-out ones;
            no sample is generated.
        lower_is_better: Whether a lower value is better, by score, in the function's order.
        needs: What the data or the source must have, keys of `NEEDS`.
        kinds: Names of the kinds of samples that it is for; any where none is named.
        equal_counts: Whether it needs as many real as generated samples.
        finds_copies: Whether it looks for copies of training samples, so that `real` is to be the
            whole training set.
        learns: Whether something is learnt from the generated samples and tested on real ones. Then
            `real` is to be held-out samples, and as many are to be generated as there are for
            training.
        floor: Whether held-out real samples can stand in place of generated ones.
        settings_for: Settings that follow from how many real and generated samples there are.
    """

    function: Callable[..., Any]
    of: Of
    lower_is_better: dict[str, bool]
    needs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    equal_counts: bool = False
    finds_copies: bool = False
    learns: bool = False
    floor: bool = True
    settings_for: Callable[[int, int], dict[str, Any]] | None = None

    @property
    def fakes_only(self) -> bool:
        """Whether the metric uses no real samples."""
        return self.of in ("probabilities", "channels", "points", "generator")

    @property
    def names_extractor(self) -> bool:
        """Whether a score means nothing without the name of the extractor."""
        return self.of in ("features", "probabilities")

    @property
    def uses_extractor(self) -> bool:
        """Whether the metric uses an extractor, for samples that are not features themselves."""
        return self.names_extractor or self.of == "generator"

    @property
    def has_floor(self) -> bool:
        """Whether real samples can be scored in place of generated ones."""
        return self.floor and self.of not in ("generator", "log-likelihoods")

    def scores(self, real: Any, fake: Any, *, seed: int = 0, **settings: Any) -> dict[str, float]:
        """The scores under their public names.

        Args:
            real: Real data in the form that `of` names; `None` if the metric uses none.
            fake: Generated data in the form that `of` names.
            seed: Seed of the random draws of the metric, if it makes any.
            **settings: The function's own keyword arguments.
        """
        if "seed" in inspect.signature(self.function).parameters:
            settings["seed"] = seed
        alone = self.fakes_only and self.of != "points"
        result = self.function(*((fake,) if alone else (real, fake)), **settings)
        values = result if isinstance(result, tuple) else (result,)
        # A spread that follows the scores (as of KID) is no score.
        return {
            name: float(value) for name, value in zip(self.lower_is_better, values, strict=False)
        }
