"""A score with its protocol and its 95% interval."""

import dataclasses
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kgan
from kgan.files import atomic_path


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a score was measured; two scores can be compared only if their protocols agree.

    Attributes:
        metric: The metric's key in `kgan.metrics.METRICS`.
        data: Name of the real data.
        split: Split of the real samples.
        reference: Hash of the real samples; empty if the metric uses none.
        n_real: Number of real samples.
        n_fake: Number of generated samples.
        extractor: Label of the extractor, with its hash; `None` if none is used.
        preprocessing: Description of the preprocessing of the samples.
        settings: The metric's settings.
        interval: What the interval is over: "seeds" (generated anew), "halves" (of a fixed set),
            "samples" (of a mean over them), or `None` without one.
        version: Version of kgan.
    """

    metric: str
    data: str
    split: str
    reference: str
    n_real: int
    n_fake: int
    extractor: str | None
    preprocessing: str
    settings: dict[str, Any]
    interval: str | None
    version: str = kgan.__version__


@dataclasses.dataclass(frozen=True)
class Score:
    """One number about generated samples.

    Attributes:
        name: The name to publish it under, such as "fid[lenet-mnist@1a2b3c4d]".
        value: The score; the mean over seeds if there are several.
        low: Lower end of the 95% interval; `None` without one.
        high: Upper end of the interval.
        lower_is_better: Whether a smaller value is a better one.
        floor: Score of held-out real samples in place of generated ones; `None` if unknown.
        floor_n: Number of held-out samples for the floor; `n_fake` if there are enough.
        seeds: Seeds of the generated samples.
        values: The score for each seed.
        protocol: The protocol of the measurement.
        baselines: Scores of simpler generators on the same metric, by name.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    lower_is_better: bool
    floor: float | None
    floor_n: int | None
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    protocol: Protocol
    baselines: dict[str, float] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinity, which JSON lacks, becomes the string "inf"."""
        content = dataclasses.asdict(self)
        content |= {name: _finite(content[name]) for name in ("value", "floor")}
        return content | {
            "values": [_finite(value) for value in self.values],
            "baselines": {name: _finite(value) for name, value in self.baselines.items()},
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Score":
        floor = content["floor"]
        known = {
            "value": float(content["value"]),
            "floor": None if floor is None else float(floor),
            "values": tuple(float(value) for value in content["values"]),
            "seeds": tuple(content["seeds"]),
            "protocol": Protocol(**content["protocol"]),
            # Files of earlier versions have none.
            "baselines": {
                name: float(value) for name, value in content.get("baselines", {}).items()
            },
        }
        return cls(**content | known)


def _finite(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The difference of two scores with the same protocol.

    Attributes:
        name: The common name of the scores.
        first: The first score.
        second: The second score.
        difference: Value of the second score minus that of the first.
        low: Lower end of the difference's 95% interval; `None` if either score has no interval.
        high: Upper end of the difference's interval.
    """

    name: str
    first: Score
    second: Score
    difference: float
    low: float | None
    high: float | None

    @property
    def better(self) -> str | None:
        """The better score, "first" or "second"; `None` if the interval includes 0."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return None
        return "second" if (self.difference < 0) == self.first.lower_is_better else "first"


def compare(first: Score, second: Score) -> Comparison:
    """The difference of two scores.

    Raises:
        ValueError: If they were measured differently; the message names each difference.
    """
    differences = [] if first.name == second.name else [("name", first.name, second.name)]
    for field in dataclasses.fields(Protocol):
        one, other = getattr(first.protocol, field.name), getattr(second.protocol, field.name)
        if one != other:
            differences.append((field.name, one, other))
    if differences:
        told = "; ".join(f"{name} is {one!r} and {other!r}" for name, one, other in differences)
        raise ValueError(
            f"{first.name} cannot be compared, as it was measured differently: {told}. "
            "Evaluate both again with the same settings."
        )
    difference = second.value - first.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Comparison(first.name, first, second, difference, None, None)
    half = math.hypot(first.high - first.low, second.high - second.low) / 2
    low, high = difference - half, difference + half
    return Comparison(first.name, first, second, difference, low, high)


def save_scores(scores: Sequence[Score], path: str | os.PathLike[str], **details: Any) -> None:
    """Writes scores, and further `details`, as JSON; an interrupted save leaves no partial file."""
    content = {**details, "scores": [score.to_dict() for score in scores]}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n")


def load_scores(path: str | os.PathLike[str]) -> list[Score]:
    """Loads the scores from a file that `save_scores` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file does not hold scores.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no scores at {path}; make them with kgan evaluate.")
    try:
        return [Score.from_dict(score) for score in json.loads(path.read_text())["scores"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no scores that this version can read: {error}.") from error
