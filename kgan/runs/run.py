"""A run: a folder with a `config.json` that identifies it. Only this file reads and writes that.

`config.json` holds

- `format`: 2. Files without it were written by 0.1.0, and can still be read.
- `family`: the family of the settings, such as "gan", "classifier", "attack".
- `preset`: name of the preset that the run started from, or `null`.
- `model`: name under which the run exports its model.
- `config`: every field of the settings.
- `data`: fingerprint of the training data (`Dataset.fingerprint`), or `null`.
- `versions`: versions of the packages that compute.
- `id`: a random word that no other run has, or `null` for runs begun before there was one.
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import re
import shutil
import types
import typing
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import kgan
from kgan.files import atomic_path
from kgan.settings.groups import Settings, is_name

FORMAT = 2
_FILE = "config.json"
_Settings = TypeVar("_Settings", bound=Settings)

# For each family of 0.1.0, a setting that no other family has.
_FAMILY_BY_FIELD = {"epsilons": "attack", "method": "hardening", "networks": "gan"}


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder and the record that identifies it.

    Attributes:
        folder: The folder that holds all files of the run.
        family: The family of the settings, such as "gan".
        model: Name under which the run exports its model.
        preset: Name of the preset that the run started from; `None` if unknown.
        values: Every field of the settings, as JSON values.
        data: Fingerprint of the training data; `None` if unknown.
        id: A random word that no other run has but its copies; `None` if unknown.
        name: The name that was asked for, without a number; `None` if unknown.
    """

    folder: Path
    family: str
    model: str
    preset: str | None = None
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    data: Mapping[str, Any] | None = None
    id: str | None = None
    name: str | None = None

    @classmethod
    def new(
        cls,
        runs_dir: Path,
        name: str,
        settings: Settings,
        *,
        model: str | None = None,
        preset: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> "Run":
        """Creates the first of NAME, NAME-2, NAME-3, ... that does not exist yet.

        The folder is created exclusively, so two runs that start together get different folders.

        Args:
            runs_dir: The folder of all run folders.
            name: Name of the run, a plain file name.
            settings: The settings that the user chose.
            model: Name under which the run exports its model; by default the name of the run.
            preset: Name of the preset that the settings started from.
            data: Fingerprint of the training data.
        """
        if not is_name(name):
            raise ValueError(
                f"name must be a plain file name, got {name!r}: choose one with --name."
            )
        runs_dir.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = runs_dir / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
                break
            except FileExistsError:
                number += 1
        own = uuid.uuid4().hex
        run = cls(folder, type(settings).family, model or name, preset, id=own, name=name)
        return run.saved(settings, data=data)

    @classmethod
    def open(cls, folder: str | Path, *families: str, what: str = "this") -> "Run":
        """Reads the record of a run.

        Args:
            folder: The run's folder.
            families: The families that the caller accepts; all if none is given.
            what: What needs the run, such as "kgan export"; the error names it.

        Raises:
            FileNotFoundError: If the folder is not a run folder.
            ValueError: If the run is of another family, or its `config.json` cannot be read.
        """
        folder = Path(folder)
        if not (folder / _FILE).is_file():
            raise FileNotFoundError(f"{folder} is no run folder: it holds no {_FILE}.")
        run = cls(folder, **_identity(folder / _FILE))
        if families and run.family not in families:
            raise ValueError(
                f"{folder} is a run of the family {run.family}; {what} takes a run of "
                f"{' or '.join(families)}."
            )
        return run

    @classmethod
    def latest(cls, runs_dir: Path, name: str) -> "Run":
        """The run of that name with the highest number; of NAME-1 the one without a number.

        A run that was itself named NAME-2024 is none of NAME, nor is a copy of one that is there.

        Raises:
            FileNotFoundError: If there is none.
        """
        found = _numbered(runs_dir, name)
        if not found and name.endswith("-1"):
            first = _numbered(runs_dir, name.removesuffix("-1")).get(1)
            found = {} if first is None else {1: first}
        if not found:
            raise FileNotFoundError(
                f"no run {name!r} in {runs_dir} to resume; name another with --name, or start one "
                "without --resume."
            )
        return cls.open(found[max(found)])

    def saved(self, settings: Settings, *, data: Mapping[str, Any] | None = None) -> "Run":
        """Writes settings into the run's folder and returns the run with them."""
        content = {
            "format": FORMAT,
            "family": type(settings).family,
            "preset": self.preset,
            "model": self.model,
            "config": dataclasses.asdict(settings),  # type: ignore[call-overload]
            "data": data,
            "versions": {
                name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")
            }
            | {"kgan": kgan.__version__},
            "id": self.id,
            "name": self.name,
        }
        text = json.dumps(content, indent=2, default=str)
        with atomic_path(self.folder / _FILE) as temporary:
            temporary.write_text(text + "\n")
        values = json.loads(text)["config"]
        return dataclasses.replace(self, values=values, data=data)

    def discard(self) -> None:
        """Removes the folder of a run that was refused before it began."""
        shutil.rmtree(self.folder)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()  # Succeeds only if this was the only run.

    def settings(self, kind: type[_Settings]) -> _Settings:
        """The settings that the run was started with, as an object of class `kind`.

        Raises:
            ValueError: If the run has fields that this version of kgan does not know.
        """
        hints = typing.get_type_hints(kind)
        # A field that was added later gets its default, which keeps the earlier behaviour.
        if unknown := set(self.values) - set(hints):
            raise ValueError(
                f"{self.folder / _FILE} was written by another version of kgan, which has other "
                f"fields: {', '.join(sorted(unknown))}."
            )
        for name, value in self.values.items():
            if not _fits(value, hints[name]) or (value is None and name in kind.settled):
                raise ValueError(
                    f"{self.folder / _FILE} is damaged: {name} has the value {value!r}, which is "
                    "of another type. Restore the file, or start a new run."
                )
        restored = {name: _restored(value, hints[name]) for name, value in self.values.items()}
        try:
            return kind(**restored)
        except ValueError as error:
            raise ValueError(
                f"{self.folder / _FILE} is damaged: {error} Restore the file, or start a new run."
            ) from error

    @property
    def checkpoints(self) -> Path:
        """The folder of the run's checkpoints."""
        return self.folder / "checkpoints"

    @property
    def table(self) -> Path:
        """The CSV file with the logs of each epoch."""
        return self.folder / "metrics.csv"

    def exported_checkpoint(self) -> str:
        """Name of the checkpoint that training exports: "best" if scores chose one, else "last"."""
        best = (self.checkpoints / "best.keras").is_file()
        return "best" if best and self.values.get("evaluate_every") else "last"

    def checkpoint(self, name: str | None = None) -> Path:
        """The file of the checkpoint "last" or "best"; by default the one that training exports.

        Raises:
            FileNotFoundError: If the run has no such checkpoint.
        """
        path = self.checkpoints / f"{name or self.exported_checkpoint()}.keras"
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.folder} has no checkpoint {path.name}: it was stopped before its first "
                "epoch ended. Resume it, or start anew."
            )
        return path


def is_run(folder: Path) -> bool:
    """Whether a folder is a run folder."""
    return (folder / _FILE).is_file()


def check_unchanged(saved: Settings, wanted: Settings, *, may_change: Sequence[str]) -> None:
    """Raises `ValueError` if a field that shaped the training so far has another value now.

    Args:
        saved: The settings that the run was started with.
        wanted: The settings to resume with.
        may_change: Names of the fields that may change, because no finished step depends on them.
    """
    for field in dataclasses.fields(saved):  # type: ignore[arg-type]
        before, now = getattr(saved, field.name), getattr(wanted, field.name)
        if before != now and field.name not in may_change:
            raise ValueError(
                f"{field.name} cannot change when a run is resumed: it was {before!r}, "
                f"got {now!r}. Start a new run without --resume."
            )


def moved(run: Run, wanted: Settings) -> dict[str, tuple[Any, Any]]:
    """Where the data of a run were and are now, by the setting that says so, as far as it changed.

    Args:
        run: The run to resume.
        wanted: The settings to resume with.
    """
    saved = run.settings(type(wanted))
    places = {
        name: (getattr(saved, name), getattr(wanted, name)) for name in sorted(wanted.may_move())
    }
    return {name: (before, now) for name, (before, now) in places.items() if before != now}


def check_same_data(
    run: Run, now: Mapping[str, Any], *, moved: Mapping[str, tuple[Any, Any]] | None = None
) -> None:
    """Raises `ValueError` if the data differ from those that the run began with.

    Args:
        run: The run to resume; runs of 0.1.0 recorded no data, and pass where nothing was moved.
        now: Fingerprint of the present data.
        moved: What the function `moved` gives.
    """
    changes = ", ".join(f"{name} from {old} to {new}" for name, (old, new) in (moved or {}).items())
    if run.data is None and changes:
        raise ValueError(
            f"{run.folder} recorded nothing that its data could be known by, so they must stay "
            f"where they were ({changes}): put them back there."
        )
    if run.data is None or run.data == now:
        return
    before, after = run.data.get("count"), now.get("count")
    known = isinstance(before, int) and isinstance(after, int)
    told = "their content differs"
    if known and before != after:
        told = f"{before:,} samples became {after:,}"
    elif {**run.data, "class_names": None} == {**now, "class_names": None}:
        told = "their classes have other names"
    remedy = f"give the place of those ({changes})" if changes else "put them back"
    raise ValueError(
        f"the data changed since {run.folder} was begun: {told}. A resumed run ends with the "
        f"weights of an uninterrupted one, so it needs the same data: {remedy}, or start a new "
        "run without --resume."
    )


def _numbered(runs_dir: Path, name: str) -> dict[int, Path]:
    """The runs NAME, NAME-2, ... by their numbers."""
    pattern = re.compile(re.escape(name) + r"(?:-([2-9]|[1-9]\d+))?")
    there = {}
    for path in runs_dir.iterdir() if runs_dir.is_dir() else ():
        match = pattern.fullmatch(path.name)
        if match and (path / _FILE).is_file():
            there[int(match[1] or 1)] = path
    found, seen = {}, set()
    for number in sorted(there):
        own, asked = None, None
        # What cannot be read is reported where it is opened.
        with contextlib.suppress(ValueError, OSError):
            record = _identity(there[number] / _FILE)
            own, asked = record.get("id"), record.get("name")
        if own in seen or (number > 1 and asked not in (None, name)):
            continue
        seen |= {own} - {None}
        found[number] = there[number]
    return found


def _identity(path: Path) -> dict[str, Any]:
    """The fields of `Run` except `folder`, from a `config.json` of any version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError("it must hold an object")
        values = content.get("config")
        if not isinstance(values, dict):
            raise TypeError("config must hold the run's settings")
        for name in ("family", "model", "preset", "id", "name"):
            if not isinstance(content.get(name), str | None):
                raise TypeError(f"{name} must be a text")
        if not isinstance(content.get("data"), dict | None):
            raise TypeError("data must be an object")
        number = content.get("format", 1)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise TypeError(f"format must be a number, got {number!r}")
        if number == FORMAT and not content.get("family"):
            raise TypeError("family is missing")
        model = content.get("model") or path.resolve().parent.name
        if number == FORMAT and not is_name(model):
            # Exports would be written elsewhere.
            raise TypeError(f"model must be a plain file name, got {model!r}")
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}): it is damaged, or no run's. Restore it, or start a "
            "new run."
        ) from error
    if number > FORMAT:
        raise ValueError(
            f"{path} has the format {number!r}, which a newer version of kgan wrote; this one "
            f"reads up to {FORMAT}. Upgrade kgan."
        )
    if number == FORMAT:
        names = ("family", "preset", "data", "id", "name")
        return {name: content.get(name) for name in names} | {"model": model, "values": values}
    families = [family for field, family in _FAMILY_BY_FIELD.items() if field in values]
    family = families[0] if families else "gan"
    model = values.get("name") or path.parent.name
    return {"family": family, "model": model, "values": values}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value can be of a field's type."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _fits(value, typing.get_args(hint)[0])
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, one) for one in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin is tuple:
        arguments = typing.get_args(hint)
        if not isinstance(value, list):
            return False
        if arguments[-1:] == (...,):
            return all(_fits(one, arguments[0]) for one in value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if hint in (None, type(None)):
        return value is None
    if hint is Path:
        return isinstance(value, str)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(hint, type) or isinstance(value, hint)


def _restored(value: Any, hint: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return Path(value) if Path in options and value is not None else value
