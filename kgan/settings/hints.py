"""Commands that are suggested to the user, with what the same user declared before."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any, cast

from kgan.settings.groups import DeclaredVictim, ImageReading, PreparedData, RunFolder, Settings

_READING = (ImageReading, PreparedData)
# The user downloads a set once.
_ONCE = ("download",)


def flags(settings: Settings, *names: str) -> list[str]:
    """The words that give these settings anew, as far as they differ from the class's defaults."""
    words: list[str] = []
    for field in dataclasses.fields(cast(Any, settings)):
        value = getattr(settings, field.name)
        default = field.default
        if field.name not in names or value == default or value is None:
            continue
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            parts = value if isinstance(value, tuple) else (value,)
            words += [flag, *map(_word, parts)]
    return words


def resume(command: str, settings: RunFolder, folder: Path, *, prefix: str = "") -> list[str]:
    """The words of the command that goes on with the run in this folder."""
    name = folder.name.removeprefix(prefix)
    return ["kgan", command, "--resume", "--name", name, *flags(settings, "runs_dir")]


def attack(settings: Settings, model: str | Path, data: str) -> str:
    """The command that attacks a classifier on the same data, read and declared alike."""
    names = _names(*_READING, DeclaredVictim)
    words = ["kgan", "attack", "--model", str(model), "--data", data, *flags(settings, *names)]
    return shlex.join(words)


def harden(
    settings: Settings, model: str | Path, data: str, norm: str, epsilon: float | None
) -> str:
    """The command that hardens a classifier that was attacked, at this radius if there is one."""
    names = _names(*_READING, DeclaredVictim)
    words = ["kgan", "harden", "--model", str(model), "--data", data, *flags(settings, *names)]
    radius = [] if norm == "linf" else ["--norm", norm]
    radius += [] if epsilon is None else ["--epsilon", _word(epsilon)]
    return shlex.join([*words, *radius])


def _names(*groups: type[Settings]) -> list[str]:
    found = [field.name for group in groups for field in dataclasses.fields(cast(Any, group))]
    return [name for name in found if name not in _ONCE]


def _word(value: Any) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
