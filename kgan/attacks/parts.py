"""The parts of an evaluation, one attack on one piece of the data each, and where they are kept."""

import contextlib
import dataclasses
import hashlib
import json
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import kgan
from kgan.attacks.attack import Attack, Result
from kgan.attacks.norms import length
from kgan.attacks.pieces import Piece
from kgan.attacks.report import CHANGE_NORMS
from kgan.files import atomic_path


@dataclasses.dataclass(frozen=True)
class Run:
    """A budget attack at one epsilon, or any other attack, once.

    Attributes:
        name: The attack's name in the report.
        attack: With that epsilon.
        epsilon: `None` where the attack has no budget.
    """

    name: str
    attack: Attack
    epsilon: float | None

    def __str__(self) -> str:
        return self.name if self.epsilon is None else f"{self.name} at {self.epsilon:g}"


@dataclasses.dataclass(frozen=True)
class Part:
    """What a run did to a piece.

    Attributes:
        success: bool (n,): misclassified afterwards.
        lengths: float32 (4, n): the change in each of `CHANGE_NORMS`.
        seconds: Time it took.
        shown: The adversarial images of a few examples, in full.
        details: Shares of the images that the attack reports besides, by name: how often a transfer
            attack fooled its surrogate, what an ensemble's members left.
    """

    success: np.ndarray
    lengths: np.ndarray
    seconds: float
    shown: np.ndarray
    details: dict[str, float]

    @classmethod
    def join(cls, parts: list["Part"]) -> "Part":
        """The parts of consecutive pieces as one."""
        sizes = [len(part.success) for part in parts]
        return cls(
            np.concatenate([part.success for part in parts]),
            np.concatenate([part.lengths for part in parts], axis=1),
            sum(part.seconds for part in parts),
            parts[0].shown,
            {
                name: float(np.average([part.details[name] for part in parts], weights=sizes))
                for name in parts[0].details
            },
        )


def attack_piece(
    run: Run, model: keras.Model, piece: Piece, shown: np.ndarray, batch_size: int
) -> Part:
    """Runs an attack on a piece; `shown` are the rows to keep in full."""
    begin = time.perf_counter()
    result = run.attack.run(
        model,
        piece.images,
        piece.labels,
        batch_size=batch_size,
        indices=np.arange(piece.start, piece.start + len(piece.labels)),
    )
    seconds = time.perf_counter() - begin
    change = tf.constant(result.adversarial - piece.images)
    lengths = np.stack([length(change, norm).numpy() for norm in CHANGE_NORMS])
    return Part(result.success, lengths, seconds, result.adversarial[shown], _details(result))


def _details(result: Result) -> dict[str, float]:
    """The shares in those fields that an attack's own result class adds to `Result`."""
    known = {field.name for field in dataclasses.fields(Result)}
    details: dict[str, float] = {}
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if field.name in known:
            continue
        if isinstance(value, np.ndarray) and value.dtype == bool:
            details[field.name.replace("_", " ")] = float(value.mean())
        elif isinstance(value, dict):
            details |= {f"{field.name} after {key}": float(share) for key, share in value.items()}
    return details


class PartsFolder:
    """A folder of finished parts, each under a name that nothing else can have.

    The name is a hash of all that decides the result: the model's structure and weights, the
    images, labels and their place in the data, the attack's settings, and kgan's version. So a part
    that is found is the right one, and a folder may be shared by any evaluations.

    Args:
        folder: Where; `None` keeps nothing.
        model: The model under attack.
    """

    def __init__(self, folder: str | Path | None, model: keras.Model):
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            self._model = digest_of(model)

    def load(self, run: Run, piece: Piece, shown: np.ndarray) -> Part | None:
        """The part, if it is there and whole."""
        if self.folder is None or not (path := self._path(run, piece, shown)).is_file():
            return None
        try:
            with open(path, "rb") as file, np.load(file) as content:
                return Part(
                    content["success"],
                    content["lengths"],
                    float(content["seconds"]),
                    content["shown"],
                    json.loads(str(content["details"])),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, run: Run, piece: Piece, shown: np.ndarray, part: Part) -> None:
        if self.folder is not None:
            with atomic_path(self._path(run, piece, shown)) as temporary:
                details = json.dumps(part.details)
                np.savez(temporary, **dataclasses.asdict(part) | {"details": details})

    def _path(self, run: Run, piece: Piece, shown: np.ndarray) -> Path:
        assert self.folder is not None
        digest = hashlib.sha256(self._model)
        for text in (kgan.__version__, repr(run.attack), str(piece.start), str(piece.images.shape)):
            digest.update(text.encode() + b"\0")
        for value in run.attack.get_config().values():
            for surrogate in value if isinstance(value, list | tuple) else [value]:
                if isinstance(surrogate, keras.Model):
                    digest.update(digest_of(surrogate))
        for array in (piece.images, piece.labels, shown):
            digest.update(np.ascontiguousarray(array).data)
        return self.folder / f"{run.name}-{piece.start}-{digest.hexdigest()[:16]}.npz"


def digest_of(model: keras.Model) -> bytes:
    """A hash of a model's structure and weights."""
    digest = hashlib.sha256(type(model).__name__.encode())
    with contextlib.suppress(NotImplementedError):  # A subclassed model; its weights still tell.
        digest.update(json.dumps(model.get_config(), sort_keys=True, default=str).encode())
    for weight in model.weights:
        digest.update(f"{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight.value.numpy()).data)
    return digest.digest()
