"""`kgan audit RUN`: tries to refute the promise of a private run."""

import dataclasses
import json
import secrets
from pathlib import Path
from typing import Any, cast

import numpy as np

import kgan.data
import kgan.privacy
from kgan.cli.command_line import Request
from kgan.data import Canaries
from kgan.files import atomic_path
from kgan.recipes import GANRecipe, Recipe, TableRecipe
from kgan.runs.run import Run
from kgan.settings import AuditSettings, GANSettings
from kgan.settings.table import TableSettings


def main(request: Request) -> int:
    """The body of `kgan audit`; 1 where the promise is refuted."""
    settings = cast(AuditSettings, request.settings)
    run = Run.open(settings.source, *_FAMILIES, what="kgan audit")
    family, its_settings = _FAMILIES[run.family]
    chosen: Any = run.settings(its_settings)
    if chosen.epsilon is None:
        raise ValueError(f"{run.folder} was trained without --epsilon: it promises nothing.")
    if getattr(chosen, "chosen_model", None) == "copula":
        raise ValueError(
            f"{run.folder} is a copula, which has no discriminator to recognise canaries by: all "
            "that it knows of the records are sums with noise, and its promise is theirs."
        )
    recipe = family(chosen)
    data = recipe.data()
    # Nobody may know the coins beforehand, so they are tossed anew each time.
    random = np.random.default_rng(secrets.randbits(64))
    canaries = kgan.data.with_canaries(data, settings.canaries, random)
    promise, scores = _train(recipe, settings, canaries)
    found = kgan.privacy.audit(
        scores,
        canaries.included,
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


_FAMILIES: dict[str, tuple[type[Recipe], type]] = {
    "gan": (GANRecipe, GANSettings),
    "table": (TableRecipe, TableSettings),
}
_NEXT_TO_NONE = 1e-9
_BLIND = "not refuted, so this audit would not notice a fault; try more canaries or steps"


def _train(
    recipe: Any, settings: AuditSettings, canaries: Canaries
) -> tuple[kgan.privacy.Guarantee, np.ndarray]:
    """What is promised, and what speaks for each canary in all that the training released."""
    data = canaries.data
    for line in recipe.settle(data):
        print(line)
    steps = settings.steps or recipe.epochs * recipe.steps_per_epoch(data)
    # Whatever the number of steps: not one more than is promised.
    recipe.settings = dataclasses.replace(recipe.settings, steps_per_execution=1)
    model = recipe.model(data)
    promise = model.guarantee(steps)
    if settings.control:
        recipe.settings = dataclasses.replace(recipe.settings, noise=_NEXT_TO_NONE)
        model = recipe.model(data)
    witness = model.be_audited(len(canaries))
    print(f"training {steps:,} steps with {len(canaries):,} canaries", flush=True)
    feed = recipe.feed(data, canaries=canaries)
    model.fit(feed, steps_per_epoch=steps, shuffle=False, verbose=0)
    return promise, witness.scores()


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
