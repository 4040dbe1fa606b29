"""The models that are served: which versions lie on disk, which of them are in memory."""

import gc
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kgan.export import versions
from kgan.serving.errors import ServingError, invalid
from kgan.serving.servable import Servable

log = logging.getLogger("kgan.serving")
State = Literal["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]


@dataclass(frozen=True)
class VersionState:
    """The state of one version.

    Attributes:
        state: What TensorFlow Serving calls its state; END after unloading or a failed load.
        error: Why it could not be loaded; empty where it could.
    """

    state: State
    error: str = ""


class Model:
    """The versions of one model.

    Without `versions` the newest that can be loaded are served. A new version replaces it when
    it is loaded and warm, so no request ever finds none; one that cannot be loaded is logged, and
    tried again when its files change. Where the newest folder is taken away, the one before it
    comes back. Where all are gone, what is in memory stays.

    Args:
        name: The model's name, as it stands in the URL.
        folder: The folder that holds a numbered folder for each version.
        versions: Numbers of the versions to serve; the newest where empty.
        latest: How many of the newest to serve; `None` for all.
        labels: Versions' numbers by label.
        load: Function that reads a version, from name, number and folder.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        versions: tuple[int, ...] = (),
        latest: int | None = 1,
        labels: Mapping[str, int] | None = None,
        load: Callable[[str, int, Path], Servable] | None = None,
    ):
        self.name = name
        self.folder = folder
        self.labels = dict(labels or {})
        self.states: dict[int, VersionState] = {}
        self.versions = versions
        self.latest = latest
        self._load_version = load or load_servable
        # Replaced, never changed: requests read it while another thread polls.
        self._loaded: dict[int, Servable] = {}
        self._failed: dict[int, object] = {}
        self._told: list[int] = []

    @property
    def missing(self) -> list[int]:
        """The versions that were chosen and are not in memory."""
        return [version for version in self.versions if version not in self._loaded]

    @property
    def ready(self) -> bool:
        """Whether a version is in memory."""
        return bool(self._loaded)

    def get(self, version: int | None = None, label: str | None = None) -> Servable:
        """The version asked for; the newest where none is.

        Raises:
            ServingError: NOT_FOUND; INVALID_ARGUMENT for an unknown label.
        """
        loaded = self._loaded
        if label is not None:
            if label not in self.labels:
                raise invalid(
                    f"Unrecognized servable version label: the model {self.name!r} has no version "
                    f"label {label!r}."
                )
            version = self.labels[label]
        if version is None and loaded:
            return loaded[max(loaded)]
        if version not in loaded:
            asked = "Latest" if version is None else f"version {version}"
            raise ServingError(
                "NOT_FOUND", f"Servable not found for request: {asked} of {self.name!r}"
            )
        return loaded[version]

    def take_over(self, other: "Model") -> None:
        """Begins with what another model of the same folder has in memory."""
        self._loaded = dict(other._loaded)
        self._failed = dict(other._failed)
        self.states = dict(other.states)

    def poll(self) -> bool:
        """Looks at the folder, loads and unloads; takes as long as loading does.

        Returns:
            Whether other versions are in memory now.
        """
        before = set(self._loaded)
        wanted = self._load_specific() if self.versions else self._load_newest()
        if not wanted:
            return False
        loaded = self._loaded
        dropped = sorted(set(loaded) - wanted)
        self._loaded = {version: loaded[version] for version in loaded if version in wanted}
        for version in dropped:
            # Requests that have it still finish on it.
            self.states[version] = VersionState("END")
            log.info("%s: version %d unloaded", self.name, version)
        return set(self._loaded) != before

    def _load_specific(self) -> set[int]:
        on_disk = self._on_disk()
        wanted = {
            version
            for version in self.versions
            if version in self._loaded
            or (version in on_disk and self._load(version, on_disk[version]))
        }
        absent = [version for version in self.missing if version not in on_disk]
        if absent != self._told:
            for version in absent:
                log.warning("%s: %s has no version %d", self.name, self.folder, version)
            self._told = absent
        return wanted

    def _load_newest(self) -> set[int]:
        wanted: set[int] = set()
        for version, folder in reversed(self._on_disk().items()):
            if version in self._loaded or self._load(version, folder):
                wanted.add(version)
            if len(wanted) == self.latest:
                break
        return wanted

    def _on_disk(self) -> dict[int, Path]:
        """Ascending."""
        try:
            found = versions.folders(self.folder)
            # Only a folder that is there can be empty.
            self.folder.stat()
            return found
        except OSError as error:
            log.warning("%s: %s cannot be read: %s", self.name, self.folder, error)
            return {}

    def _load(self, version: int, folder: Path) -> bool:
        try:
            fingerprint: object = _fingerprint(folder)
        except OSError as error:
            fingerprint = str(error)
        if self._failed.get(version) == fingerprint:
            return False
        self.states[version] = VersionState("LOADING")
        try:
            servable = self._load_version(self.name, version, folder)
        except Exception as error:
            message = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            self._failed[version] = fingerprint
            self.states[version] = VersionState("END", message)
            log.error("%s: version %d cannot be loaded: %s", self.name, version, message)
            return False
        self._failed.pop(version, None)
        self._loaded = {**self._loaded, version: servable}
        self.states[version] = VersionState("AVAILABLE")
        log.info("%s: version %d is served", self.name, version)
        return True


class Repository:
    """All models of a server, by name.

    Args:
        models: The models.
        settle: Function that is called when versions came or went, to free what is left of them;
            `kgan serve` gives `kgan.serving.servable.settle`.
    """

    def __init__(self, models: list[Model], *, settle: Callable[[], object] = gc.collect):
        self._settle = settle
        self.models = {model.name: model for model in models}
        self._lock = threading.Lock()
        self._changed = False
        self._first = True

    def poll(self) -> None:
        """Polls every model; one thread at a time."""
        with self._lock:
            changed = [model.poll() for model in self.models.values()]
            # Once more at the next look: requests in flight held what went. At first none were.
            if any(changed) or self._changed:
                self._settle()
            self._changed = any(changed) and not self._first
            self._first = False

    def replace(self, models: list[Model]) -> None:
        """Serves other models, or the same ones with other versions and labels.

        What is in memory of a model in the same folder stays there. Nothing changes where a new
        model has no version that can be loaded, or lacks one that was chosen, or a label is of
        none.

        Raises:
            ServingError: INVALID_ARGUMENT; FAILED_PRECONDITION for such a label.
        """
        with self._lock:
            for model in models:
                old = self.models.get(model.name)
                if old is not None and old.folder == model.folder:
                    model.take_over(old)
                model.poll()
                if not model.ready:
                    raise invalid(f"no version of {model.name!r} in {model.folder} can be served.")
                if model.missing:
                    missing = ", ".join(map(str, model.missing))
                    raise invalid(
                        f"version {missing} of {model.name!r} in {model.folder} cannot be served."
                    )
                for label, version in model.labels.items():
                    if model.states.get(version) != VersionState("AVAILABLE"):
                        raise ServingError(
                            "FAILED_PRECONDITION",
                            f"Request to assign label to version {version} of model {model.name}, "
                            f"which is not currently available for inference (label {label!r}).",
                        )
            self.models = {model.name: model for model in models}
            self._changed = True

    def model(self, name: str) -> Model:
        """The model of that name.

        Raises:
            ServingError: NOT_FOUND.
        """
        if name not in self.models:
            raise ServingError("NOT_FOUND", f"Servable not found for request: {name!r}")
        return self.models[name]


def load_servable(
    name: str, version: int, folder: Path, *, sizes: Sequence[int] = (), batch: bool = False
) -> Servable:
    """Loads a version and plays its warm-up file; arguments as for `Servable`."""
    servable = Servable(name, version, folder, batch=batch)
    servable.warm_up(sizes)
    return servable


def _fingerprint(folder: Path) -> tuple:
    """Changes when a file in the folder does."""
    return tuple(
        (str(path), status.st_size, status.st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if (status := path.stat())
    )
