"""What `kgan serve` does in one process: loads the models, and serves them until SIGTERM."""

import functools
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tensorflow_serving.config import model_server_config_pb2

import kgan.export
from kgan.files import read_token
from kgan.robustness.one_image import attacked
from kgan.runs.classifier_file import load_classifier
from kgan.serving import models_config
from kgan.serving.access import Access
from kgan.serving.errors import ServingError
from kgan.serving.measures import Measures
from kgan.serving.repository import Model, Repository, load_servable
from kgan.serving.servable import settle
from kgan.serving.server import Limits
from kgan.serving.server import serve as run_server
from kgan.serving.signature import batch_sizes
from kgan.serving.workers import Channel, Place
from kgan.settings import ServeSettings


def serve(
    settings: ServeSettings,
    announce: Callable[[ServeSettings, Place, str], None],
    channel: Channel | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        settings: The command's settings.
        announce: Called with them, the place and a model's name when requests are answered.
        channel: The line to the process that watches, where this is one of several workers.
    """
    token = None if settings.token_file is None else read_token(settings.token_file)
    access = Access.of(
        settings.host,
        hosts=settings.allowed_hosts,
        origins=settings.allowed_origins,
        token=token,
    )
    certificate = None
    if settings.certificate is not None and settings.key is not None:
        certificate = _certificate(settings.certificate, settings.key)
    load = functools.partial(
        load_servable, sizes=batch_sizes(settings.max_batch), batch=settings.batch
    )
    models = _models(settings, load)
    within = models_config.places(models)

    def reload(config: Any) -> None:
        repository.replace(models_config.models_of(config, load, within=within))

    def reload_serialized(config: bytes) -> None:
        reload(model_server_config_pb2.ModelServerConfig.FromString(config))

    measures = Measures()
    if channel is not None:
        if channel.again:
            measures.restarts.inc()
        if channel.config is not None:
            config = model_server_config_pb2.ModelServerConfig.FromString(channel.config)
            models = models_config.models_of(config, load, within=within)
    repository = Repository(models, settle=settle)
    repository.poll()
    for model in [model for model in repository.models.values() if not model.ready]:
        if len(repository.models) == 1:
            raise ValueError(
                f"no version of {model.name} in {model.folder} can be served; see above."
            )
        # A later version of it may be of use, so its folder is watched.
        print(
            f"not served: {model.folder} (none of its versions can be loaded; see above)",
            file=sys.stderr,
        )
    limits = Limits(
        max_batch=settings.max_batch,
        batch_timeout=settings.batch_timeout_ms / 1000,
        threads=settings.threads,
        queue_size=settings.queue_size,
        max_rows=settings.max_samples,
        max_body=int(settings.max_body_mb * 2**20),
        max_reply=int(settings.max_reply_mb * 2**20),
        timeout=settings.timeout,
        poll=settings.poll,
        grace=settings.grace,
        max_connections=settings.max_connections,
        max_per_address=settings.max_per_address,
    )

    host, port, grpc_port = settings.host, settings.port, settings.grpc_port
    ask = reload
    if channel is not None:
        port, grpc_port = channel.place.port, channel.place.grpc_port
        channel.listen(reload_serialized)
        # Every worker must take it, not only the one that was asked.
        ask = functools.partial(_reload_all, channel)
    run_server(
        repository,
        limits,
        announce=lambda *ports: announce(
            settings, Place(host, *ports), next(iter(repository.models))
        ),
        host=host,
        port=port,
        grpc_port=grpc_port,
        access=access,
        certificate=certificate,
        reload=None if settings.config is None else ask,
        fool=None
        if settings.classifier is None
        else attacked(
            load_classifier(settings.classifier.expanduser()),
            settings.classifier.stem,
            settings.class_names,
        ),
        shared=channel is not None,
        measures=measures,
        rehearse=True,
    )


def _reload_all(channel: Channel, config: Any) -> None:
    channel.reload(config.SerializeToString())


def _models(settings: ServeSettings, load: models_config.Load) -> list[Model]:
    """The models of the command line, or those of the file that it names."""
    if settings.config is not None:
        try:
            return models_config.models_of(models_config.read(settings.config), load)
        except ServingError as error:
            raise ValueError(f"{settings.config}: {error.message}") from None
    labels = {
        name: int(version) for name, _, version in (x.partition("=") for x in settings.labels)
    }
    return [
        Model(name, folder, versions=settings.versions, labels=labels, load=load)
        for name, folder in _folders(settings.models).items()
    ]


def _certificate(chain: Path, key: Path) -> tuple[Path, Path]:
    """The files of a certificate and of its key, after a check."""
    chain, key = chain.expanduser(), key.expanduser()
    for path in (chain, key):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is no file.")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(chain, key)
    except ssl.SSLError as error:
        raise ValueError(f"{chain} and {key} are no certificate and its key: {error}") from None
    return chain, key


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
