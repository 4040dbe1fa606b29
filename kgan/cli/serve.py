"""`kgan serve MODELS`: TensorFlow Serving's contract in one process, and a page to play with."""

import functools
import importlib.util
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from kgan.cli import run
from kgan.config import ServeConfig

_NEEDED = ("starlette", "uvicorn", "orjson", "prometheus_client", "grpc", "tensorflow_serving")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `kgan serve`."""
    import tyro

    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        config = tyro.cli(ServeConfig, args=arguments, prog="kgan serve")
    except ValueError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2

    def body() -> int:
        serve(config)
        return 0

    return run(body, debug=config.debug, verbose=config.verbose)


def serve(config: ServeConfig) -> None:
    """Loads the models and serves them until SIGTERM or Ctrl-C."""
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ImportError(f"{', '.join(missing)} is needed: pip install 'kgan[serve]'.")
    from kgan.serving.repository import Model, Repository, load_servable
    from kgan.serving.servable import batch_sizes
    from kgan.serving.server import Limits
    from kgan.serving.server import serve as run_server

    _log_lines()
    labels = {name: int(version) for name, _, version in (x.partition("=") for x in config.labels)}
    folders = _folders(config.models)
    load = functools.partial(load_servable, sizes=batch_sizes(config.max_batch))
    repository = Repository(
        [
            Model(name, folder, versions=config.versions, labels=labels, load=load)
            for name, folder in folders.items()
        ]
    )
    repository.poll()
    for name, model in repository.models.items():
        if not model.ready:
            raise ValueError(f"no version of {name} in {folders[name]} can be served; see above.")
    limits = Limits(
        max_batch=config.max_batch,
        batch_timeout=config.batch_timeout_ms / 1000,
        threads=config.threads,
        queue_size=config.queue_size,
        max_rows=config.max_samples,
        max_body=int(config.max_body_mb * 2**20),
        timeout=config.timeout,
        poll=config.poll,
        grace=config.grace,
        max_connections=config.max_connections,
    )

    def announce(port: int, grpc_port: int | None) -> None:
        first = next(iter(folders))
        print(f"page  http://{config.host}:{port}/")
        print(f"REST  http://{config.host}:{port}/v1/models/{first}:predict")
        if grpc_port is not None:
            print(f"gRPC  {config.host}:{grpc_port}")
        print("Ctrl-C stops it when what is in flight is answered", flush=True)

    run_server(
        repository,
        limits,
        announce=announce,
        host=config.host,
        port=config.port,
        grpc_port=config.grpc_port,
        fool=None if config.classifier is None else _fool(config.classifier, config.class_names),
    )
    print("stopped")


def _folders(paths: Sequence[Path]) -> dict[str, Path]:
    """Model folders by name, checked."""
    import kgan.export

    if not paths:
        raise ValueError("give the folder of an exported model, such as saved_models/digits.")
    folders: dict[str, Path] = {}
    for path in paths:
        path = path.expanduser().resolve()
        if (path / "saved_model.pb").is_file():
            raise ValueError(
                f"{path} is one version; give the folder of all versions: {path.parent}."
            )
        if not kgan.export.versions.folders(path):
            raise FileNotFoundError(
                f"{path} has no numbered versions; `kgan train` exports one, and "
                "saved_models/NAME is what to give."
            )
        if path.name in folders:
            raise ValueError(f"two models are called {path.name}: {folders[path.name]}, {path}.")
        folders[path.name] = path
    return folders


def _fool(path: Path, class_names: tuple[str, ...]):
    """A classifier and FGSM on it, for the page."""
    import keras
    import numpy as np

    from kgan.attacks import FGSM
    from kgan.attacks.victim import victim_of
    from kgan.cli.attack import load_classifier
    from kgan.serving.playground import Fool

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
