"""How far translations are from the truth, where it is known."""

from collections.abc import Mapping

import numpy as np
from scipy.spatial.distance import cdist

import kgan.names
from kgan.data import Pairs
from kgan.evaluation.score import Protocol, Score
from kgan.intervals import mean_interval, share_interval
from kgan.metrics.cache import content_hash
from kgan.metrics.checks import check_answers


def translation_scores(
    translated: np.ndarray,
    pairs: Pairs,
    *,
    baselines: Mapping[str, np.ndarray],
    ideal: np.ndarray,
    direction: str = "a_to_b",
) -> list[Score]:
    """Two scores of translations of samples whose true translation is known.

    `error` is the mean absolute difference of a value from the truth. `recognised` is the share of
    the samples whose translation lies nearer to its own truth than to that of any other sample: an
    output that is plausible but of another content does not count.

    Args:
        translated: Translations of the samples of A, or of B in the other direction, (n, ...)
            float32 in [0, 1] or uint8.
        pairs: The samples and their truth, which the model did not learn from.
        baselines: Simpler translations, by name, (n, ...) as `translated`.
        ideal: What the rule itself gives for the inputs, (n, ...): its scores are the floor.
        direction: "a_to_b" or "b_to_a".

    Returns:
        The scores `error[DIRECTION]` and `recognised[DIRECTION]`, with intervals over the samples.

    Raises:
        ValueError: For another direction, and for what is not one for each truth, of its shape.
    """
    kgan.names.check("direction", direction, ("a_to_b", "b_to_a"))
    target = pairs.b if direction == "a_to_b" else pairs.a
    truth = target.as_float()
    translated = check_answers(translated, truth, "translated")
    ideal = check_answers(ideal, truth, "ideal")
    baselines = {
        name: check_answers(one, truth, f"baseline {name!r}") for name, one in baselines.items()
    }
    errors, hits = _errors(translated, truth), _hits(translated, truth)
    n = len(truth)

    def score(name: str, value: float, interval, lower_is_better: bool, of) -> Score:
        return Score(
            name=f"{name}[{direction}]",
            value=value,
            low=interval[0],
            high=interval[1],
            lower_is_better=lower_is_better,
            floor=float(of(ideal, truth).mean()),
            floor_n=n,
            seeds=(0,),
            values=(value,),
            protocol=Protocol(
                metric=name,
                data=pairs.name,
                split="test",
                reference=content_hash(target.samples),
                n_real=n,
                n_fake=n,
                extractor=None,
                preprocessing="none",
                settings={},
                interval="samples",
            ),
            baselines={name: float(of(one, truth).mean()) for name, one in baselines.items()},
        )

    return [
        score("error", float(errors.mean()), mean_interval(errors.tolist()), True, _errors),
        score("recognised", float(hits.mean()), share_interval(hits.sum(), n), False, _hits),
    ]


def _errors(translated: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The mean absolute difference of each sample (n,)."""
    return np.abs(translated - truth).reshape(len(truth), -1).mean(axis=1)


def _hits(translated: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Whether each sample's own truth is the nearest one, bool (n,)."""
    flat = [one.reshape(len(one), -1) for one in (translated, truth)]
    distances = cdist(*flat, "cityblock")
    own = np.diagonal(distances).copy()
    np.fill_diagonal(distances, np.inf)
    return own < distances.min(axis=1)
