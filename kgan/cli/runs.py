"""Run folders: a new one, the latest one, and the configuration in it."""

import dataclasses
import importlib.metadata
import json
import re
import types
import typing
from pathlib import Path

from kgan.config import AttackConfig, HardenConfig, TrainConfig
from kgan.files import atomic_path

Config = typing.TypeVar("Config", TrainConfig, AttackConfig)

CHANGEABLE = frozenset(
    ("epochs", "resume", "verbose", "debug", "export", "export_dir", "runs_dir", "name")
) | {"data_dir", "download", "tensorboard", "evaluate_every", "patience", "jit_compile"}
"""What a resumed run may set anew: nothing here changes a weight of a step that is done."""


def new_run(runs_dir: Path, name: str) -> Path:
    """The first of NAME, NAME-2, NAME-3, ... that does not exist yet; not created."""
    number = 1
    while (folder := runs_dir / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder


def has_run(runs_dir: Path, name: str) -> bool:
    """Whether there is a run of that name."""
    try:
        latest_run(runs_dir, name)
    except FileNotFoundError:
        return False
    return True


def latest_run(runs_dir: Path, name: str) -> Path:
    """The run of that name with the highest number.

    Raises:
        FileNotFoundError: Where there is none.
    """
    pattern = re.compile(re.escape(name) + r"(?:-(\d+))?")
    runs = {}
    for path in runs_dir.iterdir() if runs_dir.is_dir() else ():
        match = pattern.fullmatch(path.name)
        if match and (path / "config.json").is_file():
            runs[int(match[1] or 1)] = path
    if not runs:
        raise FileNotFoundError(
            f"no run {name!r} in {runs_dir} to resume; start one without --resume."
        )
    return runs[max(runs)]


def write_config(folder: Path, config: TrainConfig | AttackConfig | HardenConfig) -> None:
    """Writes `config.json`: every field, and the versions of what computes."""
    content = {
        "config": dataclasses.asdict(config),
        "versions": {
            package: importlib.metadata.version(package)
            for package in ("tensorflow", "keras", "numpy")
        }
        | {"kgan": __import__("kgan").__version__},
    }
    with atomic_path(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n")


def read_config(folder: Path, kind: type[Config] = TrainConfig) -> Config:  # type: ignore[assignment]
    """The configuration that a run was started with.

    Raises:
        ValueError: Where it was written by a version with fields that this one has not.
    """
    path = folder / "config.json"
    values = json.loads(path.read_text())["config"]
    hints = typing.get_type_hints(kind)
    # A field that came later has its default, which is how things were before.
    if unknown := set(values) - set(hints):
        raise ValueError(
            f"{path} was written by another version of kgan, which has other fields: "
            f"{', '.join(sorted(unknown))}."
        )
    return kind(**{name: _restore(value, hints[name]) for name, value in values.items()})


def origin(config: TrainConfig, folder: Path, step: int, preset: str | None = None) -> dict:
    """Where an exported model comes from, for its manifest."""
    from kgan.callbacks.history import read_history

    scores = [row for row in read_history(folder / "metrics.csv") if row.get("step") == step]
    return {
        "preset": preset,
        "data": config.data,
        "step": step,
        "scores": scores[-1] if scores else None,
        "config": dataclasses.asdict(config),
    }


def check_unchanged(saved: TrainConfig, wanted: TrainConfig) -> None:
    """Refuses to resume with another value of a field that shaped the training so far."""
    for field in dataclasses.fields(TrainConfig):
        before, now = getattr(saved, field.name), getattr(wanted, field.name)
        if before != now and field.name not in CHANGEABLE:
            raise ValueError(
                f"{field.name} cannot change when a run is resumed: it was {before!r}, "
                f"got {now!r}. Start a new run without --resume."
            )


def _restore(value, hint):
    if isinstance(value, list):
        return tuple(value)
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return Path(value) if Path in options and value is not None else value
