"""How near translated or restored images are to their targets, beside trivial answers."""

from collections.abc import Callable, Mapping

import numpy as np

import kgan.losses
from kgan.data import Pairs
from kgan.evaluation.score import Protocol, Score
from kgan.intervals import mean_interval
from kgan.metrics.cache import content_hash
from kgan.metrics.checks import check_answers
from kgan.metrics.extractor import Extractor
from kgan.metrics.image_quality import MOST_DECIBELS, psnr, ssim

_BATCH = 128

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From images and their truth (n, ...) to a value for each (n,)."""


def paired_scores(
    translated: np.ndarray,
    pairs: Pairs,
    *,
    baselines: Mapping[str, np.ndarray],
    holes: np.ndarray | None = None,
    judge: Extractor | None = None,
) -> list[Score]:
    """Scores of images whose target is known.

    - `error`: mean absolute difference of a value from the target.
    - `psnr` (decibels) and `ssim`, with the published constants; higher is better.
    - With holes, `error_in_holes` and `psnr_in_holes`: of these places alone.
    - With an extractor, `perceptual[NAME]`: the distance of its features, as
      `kgan.losses.FeatureDistance` has it; it is no LPIPS, whose network is another.
    - With an extractor that classifies and labels of the pairs, `accuracy[NAME]`: the share of
      images that it still recognises; its floor is that of the targets.

    Args:
        translated: What was made of the images of A, (n, ...) float32 in [0, 1] or uint8.
        pairs: Images of A and their targets, which the model did not learn from.
        baselines: Simpler answers, by name, (n, ...) as `translated`.
        holes: 1 where the images were not known, 0 elsewhere, (n, height, width, 1).
        judge: Extractor of features of the targets' kind.

    Returns:
        The scores, with intervals over the images.

    Raises:
        ValueError: For images or baselines that are not one for each target, of its shape.
    """
    truth = pairs.b.as_float()
    translated = check_answers(translated, truth, "translated")
    baselines = {
        name: check_answers(one, truth, f"baseline {name!r}") for name, one in baselines.items()
    }
    measures: dict[str, tuple[Measure, bool]] = {
        "error": (_error, True),
        "psnr": (psnr, False),
        "ssim": (ssim, False),
    }
    if holes is not None:
        where = np.asarray(holes, np.float64)
        measures["error_in_holes"] = (lambda images, known: _error(images, known, where), True)
        measures["psnr_in_holes"] = (lambda images, known: psnr(images, known, where), False)
    labels = pairs.b.labels
    if judge is not None and hasattr(judge, "model"):
        distance = kgan.losses.FeatureDistance(judge.model)
        measures[f"perceptual[{judge.label}]"] = (lambda *both: _in_batches(distance, *both), True)
        if judge.is_classifier and labels is not None:
            measures[f"accuracy[{judge.label}]"] = (
                lambda images, known: (judge.probabilities(images).argmax(-1) == labels) * 1.0,
                False,
            )
    return [
        _score(name, measure, lower, translated, truth, pairs, baselines, judge)
        for name, (measure, lower) in measures.items()
    ]


def diversity_score(one: np.ndarray, other: np.ndarray, pairs: Pairs) -> Score:
    """The mean absolute difference between two outputs of an input, made by two random codes.

    Of a model that ignores its code it is 0.

    Args:
        one: Outputs of the images of A by one code each, float32 (n, ...).
        other: Outputs of the same images by another.
        pairs: The images of A and their targets.
    """
    one = check_answers(one, pairs.b.as_float(), "one")
    other = check_answers(other, one, "other")
    return _score("diversity", _error, False, one, other, pairs, {}, None)


def _score(
    name: str,
    measure: Measure,
    lower_is_better: bool,
    translated: np.ndarray,
    truth: np.ndarray,
    pairs: Pairs,
    baselines: Mapping[str, np.ndarray],
    judge: Extractor | None,
) -> Score:
    values = measure(translated, truth)
    low, high = mean_interval(values.tolist())
    n, value = len(truth), float(values.mean())
    seen = judge is not None and "[" in name
    return Score(
        name=name,
        value=value,
        low=low,
        high=high,
        lower_is_better=lower_is_better,
        floor=float(measure(truth, truth).mean()),
        floor_n=n,
        seeds=(0,),
        values=(value,),
        protocol=Protocol(
            metric=name.partition("[")[0],
            data=pairs.name,
            split="test",
            reference=content_hash(pairs.b.samples),
            n_real=n,
            n_fake=n,
            extractor=judge.label if seen and judge is not None else None,
            preprocessing="none",
            settings={"most_decibels": MOST_DECIBELS} if name.startswith("psnr") else {},
            interval="samples",
        ),
        baselines={key: float(measure(one, truth).mean()) for key, one in baselines.items()},
    )


def _error(images: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    differences = np.abs(np.asarray(images, np.float64) - truth)
    axes = tuple(range(1, truth.ndim))
    if where is None:
        return differences.mean(axis=axes)
    count = where.sum(axis=axes) * truth.shape[-1]
    return (differences * where).sum(axis=axes) / np.maximum(count, 1)


def _in_batches(
    distance: kgan.losses.FeatureDistance, images: np.ndarray, truth: np.ndarray
) -> np.ndarray:
    parts = []
    for start in range(0, len(truth), _BATCH):
        rows = slice(start, start + _BATCH)
        both = (np.asarray(one[rows], np.float32) for one in (images, truth))
        parts.append(np.asarray(distance(*both), np.float64))
    return np.concatenate(parts)
