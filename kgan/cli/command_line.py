"""Turns the arguments of a command into its settings, before anything heavy is imported."""

import contextlib
import dataclasses
import itertools
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import tyro

import kgan.names
from kgan.runs.run import Run, check_unchanged
from kgan.settings.groups import RunFolder, Settings, unchecked


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of `kgan`.

    Attributes:
        help: Short description of the command.
        settings: Class of the settings, for a command without presets.
        presets: Maps names to settings; the first argument of the command names one.
        families: Maps names of families to their settings, for a command that can resume several.
        prefix: Prefix of the names of its run folders.
        remedy: Advice for the error about an unknown preset.
        by_data: Whether `--data NAME` chooses the preset of that name.
        own_data: The preset for `--data` that is a file or folder, where none is named.
        first: Name of the setting that a first argument without dashes gives.
    """

    help: str
    settings: type[Settings] | None = None
    presets: Mapping[str, Settings] = dataclasses.field(default_factory=dict)
    families: Mapping[str, type[Settings]] = dataclasses.field(default_factory=dict)
    prefix: str = ""
    remedy: str = ""
    by_data: bool = False
    own_data: str = ""
    first: str = ""


@dataclasses.dataclass(frozen=True)
class Request:
    """A request to run a command.

    Attributes:
        settings: The settings that the user chose.
        preset: Name of the preset that the settings started from, or `None`.
        name: Name of the run, for a command that makes a run.
        run: The run to resume, or `None`.
        given: Names of the settings that the user typed.
        command: The command as it was typed.
    """

    settings: Settings
    preset: str | None = None
    name: str = ""
    run: Run | None = None
    given: frozenset[str] = frozenset()
    command: str = ""


def read(name: str, command: Command, arguments: Sequence[str]) -> Request:
    """Reads a command's arguments.

    Args:
        name: Name of the command.
        command: The description of the command.
        arguments: The arguments after the name of the command.

    Raises:
        ValueError, OSError: For an invalid argument; the message says what to do.
        SystemExit: By the parser, with code 0 after `--help` and 2 for an unknown flag.
    """
    words = list(arguments)
    if command.first and words and not words[0].startswith("-"):
        words.insert(0, f"--{command.first}")
    chosen: str | None = None
    if command.presets and words and not words[0].startswith("-"):
        chosen = words.pop(0)
        kgan.names.check("preset", chosen, command.presets, remedy=command.remedy)
    run = None if chosen else _named_run(command, words)
    if run is not None:
        return _resumed(name, command, words, run, None)
    preset = chosen or _default_preset(command, words)
    defaults = command.presets[preset] if preset else command.settings
    assert defaults is not None
    settings = _parse(name, command, words, defaults)
    if not isinstance(settings, RunFolder):
        return Request(settings)
    first = cast(RunFolder, defaults() if isinstance(defaults, type) else defaults)
    run_name = command.prefix + (settings.name or settings.default_name(preset, first))
    if not settings.resume or _starts_anew(settings, run_name):
        given = _given(settings, words)
        settings = _unmirrored(settings, first, preset, given)
        return Request(settings, preset, run_name, given=given)
    return _resumed(name, command, words, _latest(command, settings.runs_dir, run_name), chosen)


def _resumed(
    name: str, command: Command, words: Sequence[str], run: Run, chosen: str | None
) -> Request:
    """The settings of a run, with the changes that a resumed run allows."""
    families = command.families or {type(one).family: type(one) for one in _rows(command)}
    if run.family not in families:
        raise ValueError(
            f"{run.folder} is a run of the family {run.family}; kgan {name} resumes a run of "
            f"{' or '.join(families)}."
        )
    if chosen and run.preset not in (None, chosen):
        raise ValueError(
            f"{run.folder} was started as preset {run.preset!r}, not {chosen!r}: resume it with "
            f"kgan {name} {run.preset} --resume, or without a preset."
        )
    saved = run.settings(families[run.family])
    settings = _parse(name, command, words, saved)
    # Whether moved data are the same is seen when they are loaded.
    may_change = (settings.may_change() - saved.shaped_by) | settings.may_move()
    try:
        check_unchanged(saved, settings, may_change=tuple(may_change))
    except ValueError as error:
        raise ValueError(f"{run.folder}: {error}") from None
    return Request(settings, run.preset or chosen, run.folder.name, run)


def _rows(command: Command) -> list[Settings]:
    if command.presets:
        return list(command.presets.values())
    return [] if command.settings is None else [command.settings()]


def _named_run(command: Command, words: Sequence[str]) -> Run | None:
    """The run that `--resume --name NAME` means, whose family decides which flags exist."""
    if "--resume" not in words or {"--help", "-h"} & set(words) or not command.families:
        return None
    with unchecked():
        asked, _ = tyro.cli(RunFolder, args=list(words), return_unknown_args=True)
    try:
        if not asked.name:
            return None
        return _latest(command, asked.runs_dir, command.prefix + asked.name)
    except FileNotFoundError:
        return None  # Reported, or started as a new run, once all flags are known.


def _latest(command: Command, runs_dir: Path, name: str) -> Run:
    """The newest run of a name, and a line where it is not the folder of that very name."""
    run = Run.latest(runs_dir, name)
    with contextlib.suppress(FileNotFoundError, ValueError):
        one = Run.latest(runs_dir, f"{name}-1").folder
        if run.folder.name == name or one.name != name:
            return run
        first = shlex.quote(f"{name.removeprefix(command.prefix)}-1")
        told = f"{run.folder} is the newest run of that name; --name {first} means {one}"
        print(kgan.names.printable(told))
    return run


def _starts_anew(settings: RunFolder, run_name: str) -> bool:
    """Whether `--resume` starts a new run if there is none.

    It does so on a cluster, which restarts its workers with the command that started them.
    """
    if getattr(settings, "strategy", "") != "multi-worker":
        return False
    try:
        Run.latest(settings.runs_dir, run_name)
    except FileNotFoundError:
        return True
    return False


def _default_preset(command: Command, words: Sequence[str]) -> str | None:
    """The preset with the name of the data, whose settings suit them; otherwise the first one."""
    if not command.presets:
        return None
    first = next(iter(command.presets))
    data = _named_data(words)
    if command.by_data and data in command.presets:
        return data
    if command.own_data and data is not None and data not in command.presets:
        return command.own_data if Path(data).expanduser().exists() else first
    return first


def _named_data(words: Sequence[str]) -> str | None:
    """What `--data` names, or `None`."""
    for word, following in itertools.zip_longest(words, words[1:]):
        flag, equals, value = word.partition("=")
        if flag == "--data":
            return value if equals else following
    return None


def _unmirrored(
    settings: RunFolder, preset: Any, name: str | None, given: frozenset[str]
) -> RunFolder:
    """The settings, without the mirroring that a preset declares for data of its own."""
    own = getattr(preset, "data", None)
    # Presets of a kind of data, such as photographs, name none.
    names_none = own is None or own == type(preset)().data
    mirrors = getattr(preset, "flip", False) and not names_none
    if not mirrors or "flip" in given or cast(Any, settings).data == own:
        return settings
    print(
        f"flip is off: {name} mirrors {own}, and of other data left may not be right; "
        "--flip mirrors them"
    )
    return cast(RunFolder, dataclasses.replace(cast(Any, settings), flip=False))


def _given(settings: Settings, words: Sequence[str]) -> frozenset[str]:
    """Names of the settings that are among the words of a command."""
    flags = {word.partition("=")[0].replace("_", "-") for word in words if word.startswith("--")}
    names = [field.name for field in dataclasses.fields(cast(Any, settings))]
    dashed = {name: name.replace("_", "-") for name in names}
    return frozenset(name for name, flag in dashed.items() if flags & {f"--{flag}", f"--no-{flag}"})


def _parse(
    name: str,
    command: Command,
    words: Sequence[str],
    defaults: Settings | type[Settings],
) -> Settings:
    kind = defaults if isinstance(defaults, type) else type(defaults)
    text = (kind.__doc__ or "").splitlines()[0]
    program = f"kgan {name}"
    if command.first:
        program += f" [{command.first.upper()}]"
    if command.presets:
        program += " [PRESET]"
        text += f" Presets: {', '.join(command.presets)}."
    options: dict[str, Any] = {} if isinstance(defaults, type) else {"default": defaults}
    with unchecked():
        settings = tyro.cli(kind, args=list(words), prog=program, description=text, **options)
    settings.check()
    return settings
