"""What kept scores of `kgan evaluate` were measured with, and whether they are still those."""

import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from kgan.evaluation import load_scores
from kgan.runs.run import Run, is_run
from kgan.settings import EvaluateSettings

SCORES = "scores.json"


def asked_of(settings: EvaluateSettings) -> dict[str, Any]:
    """The options that a score depends on, as values read back from JSON."""
    words = "data checkpoint endpoint metrics extractor layer n n_real seeds"
    names = [
        *words.split(),
        *settings.reading,
        *settings.table_reading,
        "importance_samples",
        "target",
    ]
    content = {name: getattr(settings, name) for name in names}
    return json.loads(json.dumps(content))


def as_measured(settings: EvaluateSettings, file: Path, *, beside: Path) -> EvaluateSettings:
    """The options that kept scores were measured with, where the user gives none.

    Args:
        settings: What the user gives.
        file: The kept scores.
        beside: What is to be scored with these options; a line says so.

    Raises:
        ValueError: If the file holds no scores.
    """
    default = asked_of(EvaluateSettings(source=Path()))
    if asked_of(settings) != default:
        return settings
    load_scores(file)
    kept = json.loads(file.read_text()).get("asked") or {}
    # A model's checkpoint and endpoint are its own.
    own = ("checkpoint", "endpoint")
    changed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in kept.items()
        if name in default and name not in own and value != default[name]
    }
    if changed:
        told = ", ".join(f"{name} {value!r}" for name, value in changed.items())
        print(f"note: {beside} is scored as {file} was: {told}", file=sys.stderr)
    return dataclasses.replace(settings, **changed)


def answers(path: Path, settings: EvaluateSettings) -> bool:
    """Whether the saved scores have the given options, if any, and are of the present files."""
    if not path.is_file():
        return False
    try:
        kept = json.loads(path.read_text())
    except ValueError:
        return False
    wanted, default = asked_of(settings), asked_of(EvaluateSettings(source=Path()))
    # Scores of earlier versions lack options that had one value then.
    if wanted not in (default, {**default, **(kept.get("asked") or {})}):
        return False
    checkpoint = kept.get("checkpoint")
    if checkpoint is None:
        return not (path.parent / "checkpoints").is_dir()
    return checkpoint == checkpoint_of(path.parent, checkpoint["name"])


def checkpoint_of(folder: Path, name: str | None) -> dict[str, str] | None:
    """Name and hash of a run's checkpoint; `None` if there is no run with checkpoints."""
    if not is_run(folder) or not (folder / "checkpoints").is_dir():
        return None
    run = Run.open(folder)
    name = name or run.exported_checkpoint()
    path = run.checkpoints / f"{name}.keras"
    if not path.is_file():
        return None
    return {"name": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
