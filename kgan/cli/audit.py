"""`kgan audit RUN`: tries to refute the promise of a private run."""

import dataclasses
import json
import secrets
from pathlib import Path
from typing import cast

import numpy as np

import kgan.privacy
from kgan.cli.command_line import Request
from kgan.data import Dataset
from kgan.files import atomic_path
from kgan.kinds import Images
from kgan.recipes import GANRecipe
from kgan.runs.run import Run
from kgan.settings import AuditSettings, GANSettings


def main(request: Request) -> int:
    """The body of `kgan audit`; 1 where the promise is refuted."""
    settings = cast(AuditSettings, request.settings)
    run = Run.open(settings.source, "gan", what="kgan audit")
    chosen = run.settings(GANSettings)
    if chosen.epsilon is None:
        raise ValueError(f"{run.folder} was trained without --epsilon: it promises nothing.")
    recipe = GANRecipe(chosen)
    data = recipe.data()
    # Nobody may know the coins beforehand, so they are tossed anew each time.
    random = np.random.default_rng(secrets.randbits(64))
    canaries, coins = _canaries(data, settings.canaries, random)
    mixed = _with_canaries(data, canaries[coins], len(canaries), random)
    promise, scores = _train(recipe, settings, mixed, canaries)
    found = kgan.privacy.audit(
        scores,
        coins,
        delta=promise.delta,
        guesses=settings.guesses,
        confidence=settings.confidence,
    )
    refuted = found.epsilon > promise.epsilon
    print(f"promised: {promise}")
    print(f"found: {found}")
    if settings.control:
        print(
            f"that was trained without noise: {'refuted, as it should be' if refuted else _BLIND}"
        )
    else:
        print("REFUTED: the promise does not hold" if refuted else "the promise was not refuted")
    _save(run.folder / "audit.json", promise, found, settings)
    return int(refuted and not settings.control)


_BLIND = "not refuted, so this audit would not notice a fault; try more canaries or steps"


def _canaries(
    data: Dataset, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Records of random values, and whether each takes part."""
    if not 20 <= count <= len(data) // 2:
        raise ValueError(
            f"canaries must be from 20 to half of the {len(data)} records, got {count}."
        )
    shape = (count, *data.sample_shape)
    if isinstance(data.kind, Images):
        made = random.random(shape, np.float32)
    else:
        values = data.as_float()
        made = random.uniform(values.min(0), values.max(0), shape).astype(np.float32)
    return made, random.random(count) < 0.5


def _with_canaries(
    data: Dataset, chosen: np.ndarray, canaries: int, random: np.random.Generator
) -> Dataset:
    """The data, in which the chosen canaries take places of records."""
    # As many records as before, so that the sampling rate is the run's.
    rows = random.permutation(len(data))[: len(data) - len(chosen)]
    kept = data.take(np.sort(rows))
    labels = data.labels
    if labels is not None:
        drawn = random.integers(0, data.num_classes, len(chosen)).astype(np.int32)
        labels = np.concatenate([kept.labels, drawn])
    values = np.concatenate([kept.as_float(), chosen])
    return Dataset(f"{data.name} with canaries", values, labels, data.class_names, data.kind)


def _train(
    recipe: GANRecipe, settings: AuditSettings, data: Dataset, canaries: np.ndarray
) -> tuple[kgan.privacy.Guarantee, np.ndarray]:
    """What is promised, and how much the discriminator takes each canary for real."""
    for line in recipe.settle(data):
        print(line)
    steps = settings.steps or recipe.epochs * recipe.steps_per_epoch(data)
    if settings.control:
        promise = recipe.model(data).guarantee(steps)
        recipe.settings = dataclasses.replace(recipe.settings, noise=1e-9)
        model = recipe.model(data)
    else:
        model = recipe.model(data)
        promise = model.guarantee(steps)
    print(f"training {steps:,} steps with {len(canaries):,} canaries", flush=True)
    model.fit(recipe.feed(data), steps_per_epoch=steps, shuffle=False, verbose=0)
    labels = range(model.num_classes) if model.num_classes else [None]
    rows = len(canaries)
    # A canary was shown with one label or another, which whoever looks for it does not know.
    logits = [
        model.judge(canaries, None if one is None else np.full(rows, one, np.int32)).numpy()
        for one in labels
    ]
    return promise, np.max(logits, axis=0)


def _save(
    path: Path, promise: kgan.privacy.Guarantee, found: kgan.privacy.Audit, settings: AuditSettings
) -> None:
    content = {
        "promised": dataclasses.asdict(promise),
        "found": dataclasses.asdict(found),
        "control": settings.control,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
    print(f"written to {path}")
