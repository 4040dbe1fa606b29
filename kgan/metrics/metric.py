"""What `METRICS` holds: a function and the names of its scores."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Literal

Of = Literal[
    "features", "probabilities", "samples", "points", "channels", "labelled samples", "generator"
]


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric and what it is computed of.

    Attributes:
        function: Takes (real, fake), or fake alone for "probabilities", "channels" and "generator";
            returns one number or a NamedTuple that begins with the scores.
        of: What `real` and `fake` are. "features": (n, d) arrays from an extractor.
            "probabilities": (n, classes). "samples": images or points as they are. "points":
            `real` are the centres of the modes. "channels": images. "labelled samples": pairs
            (samples, labels). "generator": `fake` maps latents to samples.
        lower_is_better: A row for each score, in the function's order.
    """

    function: Callable[..., Any]
    of: Of
    lower_is_better: dict[str, bool]

    def scores(self, real: Any, fake: Any, *, seed: int = 0, **settings: Any) -> dict[str, float]:
        """The scores under their public names.

        Args:
            real: See `of`; `None` where the metric has no use for it.
            fake: See `of`.
            seed: Of what the metric draws, if it draws.
            **settings: The function's own keyword arguments.
        """
        if "seed" in inspect.signature(self.function).parameters:
            settings["seed"] = seed
        alone = self.of in ("probabilities", "channels", "generator")
        result = self.function(*((fake,) if alone else (real, fake)), **settings)
        values = result if isinstance(result, tuple) else (result,)
        # A spread that follows the scores (as of KID) is no score.
        return {
            name: float(value) for name, value in zip(self.lower_is_better, values, strict=False)
        }
