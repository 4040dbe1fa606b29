"""The result of a trial on a chunk of the data, and a folder that stores such results."""

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
from kgan.attacks.norms import length
from kgan.attacks.result import Result
from kgan.attacks.victim import Victim
from kgan.files import atomic_path
from kgan.robustness.chunks import Chunk
from kgan.robustness.report import CHANGE_NORMS
from kgan.robustness.trials import Trial

# The fields of a result that a file holds as JSON.
_AS_JSON = ("details", "warnings")


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """The result of a trial on a chunk, or on the whole data.

    Attributes:
        success: Whether each image is misclassified afterwards, bool (n,).
        lengths: Size of the change in each of `CHANGE_NORMS`, float32 (4, n).
        seconds: Time it took.
        shown: The adversarial images of a few examples, in full.
        details: Further shares of the images that the attack reports, by name: how often a transfer
            attack fooled its surrogate, what an ensemble's members left.
        warnings: What the attack says that makes its figures unreliable, in sentences.
    """

    success: np.ndarray
    lengths: np.ndarray
    seconds: float
    shown: np.ndarray
    details: dict[str, float]
    warnings: tuple[str, ...] = ()

    @classmethod
    def join(cls, results: list["TrialResult"]) -> "TrialResult":
        """Joins the results of consecutive chunks into one."""
        sizes = [len(result.success) for result in results]
        return cls(
            np.concatenate([result.success for result in results]),
            np.concatenate([result.lengths for result in results], axis=1),
            sum(result.seconds for result in results),
            results[0].shown,
            {
                name: float(np.average([result.details[name] for result in results], weights=sizes))
                for name in results[0].details
            },
            tuple(dict.fromkeys(text for result in results for text in result.warnings)),
        )


def attack_chunk(
    trial: Trial, model: keras.Model | Victim, chunk: Chunk, shown: np.ndarray, batch_size: int
) -> TrialResult:
    """Runs an attack on a chunk; `shown` are the row numbers of the images to keep."""
    begin = time.perf_counter()
    result = trial.attack.run(
        model,
        chunk.images,
        chunk.labels,
        batch_size=batch_size,
        indices=np.arange(chunk.start, chunk.start + len(chunk.labels)),
    )
    seconds = time.perf_counter() - begin
    change = tf.constant(result.adversarial - chunk.images)
    lengths = np.stack([length(change, norm).numpy() for norm in CHANGE_NORMS])
    shown_images = result.adversarial[shown]
    said = tuple(getattr(result, "warnings", ()))
    return TrialResult(result.success, lengths, seconds, shown_images, _details(result), said)


def _details(result: Result) -> dict[str, float]:
    """The shares in the fields that a subclass of `Result` adds."""
    known = {field.name for field in dataclasses.fields(Result)}
    details: dict[str, float] = {}
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if field.name in known:
            continue
        if isinstance(value, np.ndarray) and value.dtype == bool:
            details[field.name.replace("_", " ")] = float(value.mean())
        elif isinstance(value, dict) and field.name != "left_out":
            details |= {f"{field.name} after {key}": float(share) for key, share in value.items()}
    return details


class ResultsFolder:
    """A folder of finished results, each with a unique name.

    The name is a hash of everything that decides the result: the model's structure and weights, the
    images, labels and their place in the data, the attack's settings, and the version of kgan. So
    a stored result always fits, and several evaluations can share a folder.

    Args:
        folder: The folder; `None` stores nothing.
        model: The model under attack.
    """

    def __init__(self, folder: str | Path | None, model: keras.Model | Victim):
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            self._model = model_hash(model)

    def load(self, trial: Trial, chunk: Chunk, shown: np.ndarray) -> TrialResult | None:
        """The stored result; `None` if there is none or its file is damaged."""
        if self.folder is None or not (path := self._path(trial, chunk, shown)).is_file():
            return None
        try:
            with open(path, "rb") as file, np.load(file) as content:
                return TrialResult(
                    content["success"],
                    content["lengths"],
                    float(content["seconds"]),
                    content["shown"],
                    json.loads(str(content["details"])),
                    tuple(json.loads(str(content["warnings"]))),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, trial: Trial, chunk: Chunk, shown: np.ndarray, result: TrialResult) -> None:
        if self.folder is not None:
            with atomic_path(self._path(trial, chunk, shown)) as temporary:
                texts = {name: json.dumps(getattr(result, name)) for name in _AS_JSON}
                np.savez(temporary, **dataclasses.asdict(result) | texts)

    def _path(self, trial: Trial, chunk: Chunk, shown: np.ndarray) -> Path:
        assert self.folder is not None
        digest = hashlib.sha256(self._model)
        for text in (
            kgan.__version__,
            repr(trial.attack),
            str(chunk.start),
            str(chunk.images.shape),
        ):
            digest.update(text.encode() + b"\0")
        for value in trial.attack.get_config().values():
            for surrogate in value if isinstance(value, list | tuple) else [value]:
                if isinstance(surrogate, keras.Model | Victim):
                    digest.update(model_hash(surrogate))
            if isinstance(value, np.ndarray):
                digest.update(np.ascontiguousarray(value).data)
        for array in (chunk.images, chunk.labels, shown):
            digest.update(np.ascontiguousarray(array).data)
        return self.folder / f"{trial.name}-{chunk.start}-{digest.hexdigest()[:16]}.npz"


def model_hash(model: keras.Model | Victim) -> bytes:
    """A hash of a model's structure and weights, and of what is declared of it."""
    declared = ""
    if isinstance(model, Victim):
        given = {name: value for name, value in model.declared.items() if value is not None}
        if model.held is not None:
            given["held"] = model.held.digest
        declared = json.dumps(given, sort_keys=True, default=repr)
        model = model.model
        declared += getattr(model, "identity", "")
    digest = hashlib.sha256((type(model).__name__ + declared).encode())
    with contextlib.suppress(NotImplementedError):  # Subclassed models: only weights are hashed.
        digest.update(json.dumps(model.get_config(), sort_keys=True, default=str).encode())
    for weight in model.weights:
        digest.update(f"{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight.value.numpy()).data)
    return digest.digest()
