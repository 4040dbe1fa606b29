"""`kgan serve MODELS`: serves models with TensorFlow Serving's API, and a page to try them."""

import functools
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import keras
import numpy as np

import kgan.export
from kgan.attacks import FGSM
from kgan.attacks.victim import victim_of
from kgan.cli.command_line import Request
from kgan.runs.classifier_file import load_classifier
from kgan.serving.playground import Fool
from kgan.serving.repository import Model, Repository, load_servable
from kgan.serving.server import Limits
from kgan.serving.server import serve as run_server
from kgan.serving.signature import batch_sizes
from kgan.settings import ServeSettings


def main(request: Request) -> int:
    """The body of `kgan serve`: loads the models and serves them until SIGTERM or Ctrl-C."""
    settings = cast(ServeSettings, request.settings)
    _log_lines()
    labels = {
        name: int(version) for name, _, version in (x.partition("=") for x in settings.labels)
    }
    folders = _folders(settings.models)
    load = functools.partial(load_servable, sizes=batch_sizes(settings.max_batch))
    repository = Repository(
        [
            Model(name, folder, versions=settings.versions, labels=labels, load=load)
            for name, folder in folders.items()
        ]
    )
    repository.poll()
    for name in [name for name, model in repository.models.items() if not model.ready]:
        if len(folders) == 1:
            raise ValueError(f"no version of {name} in {folders[name]} can be served; see above.")
        print(
            f"not served: {folders[name]} (none of its versions can be loaded; see above)",
            file=sys.stderr,
        )
        # A later version of it may be of use, so its folder is watched.
        del folders[name]
    limits = Limits(
        max_batch=settings.max_batch,
        batch_timeout=settings.batch_timeout_ms / 1000,
        threads=settings.threads,
        queue_size=settings.queue_size,
        max_rows=settings.max_samples,
        max_body=int(settings.max_body_mb * 2**20),
        timeout=settings.timeout,
        poll=settings.poll,
        grace=settings.grace,
        max_connections=settings.max_connections,
    )

    def announce(port: int, grpc_port: int | None) -> None:
        first = next(iter(folders))
        print(f"page  http://{settings.host}:{port}/")
        print(f"REST  http://{settings.host}:{port}/v1/models/{first}:predict")
        if grpc_port is not None:
            print(f"gRPC  {settings.host}:{grpc_port}")
        print("Ctrl-C stops it when what is in flight is answered", flush=True)

    run_server(
        repository,
        limits,
        announce=announce,
        host=settings.host,
        port=settings.port,
        grpc_port=settings.grpc_port,
        fool=None
        if settings.classifier is None
        else _fool(settings.classifier, settings.class_names),
    )
    print("stopped")
    return 0


def _folders(paths: Sequence[Path]) -> dict[str, Path]:
    """Maps the name of each model to its folder; of several paths those that are none are named."""
    if not paths:
        raise ValueError("give the folder of an exported model, such as saved_models/digits.")
    folders: dict[str, Path] = {}
    skipped = []
    for path in paths:
        path = path.expanduser().resolve()
        if (path / "saved_model.pb").is_file():
            raise ValueError(
                f"{path} is one version; give the folder of all versions: {path.parent}."
            )
        if not kgan.export.versions.folders(path):
            skipped.append(path)
            continue
        if path.name in folders:
            raise ValueError(f"two models are called {path.name}: {folders[path.name]}, {path}.")
        folders[path.name] = path
    # Of `saved_models/*` what is there to be served is meant; a path alone is meant itself.
    if not folders:
        raise FileNotFoundError(
            f"{', '.join(map(str, skipped))} {'has' if len(skipped) == 1 else 'have'} no numbered "
            "versions; `kgan train` exports one, and saved_models/NAME is what to give."
        )
    for path in skipped:
        why = "it has no numbered versions" if path.exists() else "there is no such folder"
        print(f"not served: {path} ({why})", file=sys.stderr)
    return folders


def _fool(path: Path, class_names: tuple[str, ...]) -> Fool:
    """A classifier and FGSM against it, for the page."""
    model = load_classifier(path.expanduser())
    shape = tuple(model.input_shape[1:])
    if len(shape) != 3 or None in shape:
        raise ValueError(f"{path} must take images of one size, it takes {model.input_shape}.")
    victim = victim_of(model, np.zeros((2, *shape), np.float32))
    names = class_names or tuple(map(str, range(victim.classes)))
    if len(names) != victim.classes:
        raise ValueError(f"class_names must be {victim.classes}, got {len(names)}.")

    def probabilities(image: np.ndarray) -> np.ndarray:
        outputs = np.asarray(model(image, training=False), np.float32).reshape(1, -1)
        if victim.binary:
            share = outputs if victim.head == "sigmoid" else keras.ops.sigmoid(outputs)
            share = float(np.asarray(share)[0, 0])
            return np.array([1 - share, share])
        if victim.head == "logits":
            outputs = np.asarray(keras.ops.softmax(outputs))
        return outputs[0]

    def attack(image: np.ndarray, epsilon: float):
        before = probabilities(image)
        if epsilon == 0:
            return image, before, before
        label = np.array([before.argmax()])
        changed = np.asarray(FGSM(epsilon=epsilon)(model, image, label))
        return changed, before, probabilities(changed)

    # The first call compiles the attack.
    attack(np.full((1, *shape), 0.5, np.float32), 0.1)
    return Fool(path.stem, shape, tuple(names), attack)


def _log_lines() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("kgan.serving")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
