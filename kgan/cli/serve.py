"""`kgan serve MODELS`: serves models with TensorFlow Serving's API, and a page to try them.

One process loads the models and answers (`kgan.cli.serve_models`). With `--workers` this one starts
several such processes and watches them; it loads nothing itself.
"""

import importlib
import logging
import sys
from typing import Any, cast

import kgan.cli
from kgan.cli.command_line import Request
from kgan.names import printable
from kgan.runs import faults
from kgan.serving.workers import Channel, Place, Supervisor
from kgan.settings import ServeSettings


def main(request: Request) -> int:
    """The body of `kgan serve`: until SIGTERM or Ctrl-C."""
    settings = cast(ServeSettings, request.settings)
    log_lines()
    # Until the first line of `tell` some seconds pass.
    named = [*settings.models, *filter(None, (settings.config, settings.classifier))]
    print(f"loading {', '.join(map(str, named))} ...", file=sys.stderr, flush=True)
    if settings.workers == 1:
        _models().serve(settings, tell)
    else:
        place = Place(settings.host, settings.port, settings.grpc_port)
        Supervisor(work, settings, count=settings.workers, place=place, grace=settings.grace).run(
            lambda place, model: tell(settings, place, model)
        )
    print("stopped")
    return 0


def work(channel: Channel, settings: ServeSettings) -> None:
    """What each of several workers does."""
    log_lines("worker %(process)d: ")
    try:
        if not settings.verbose:
            kgan.cli.hush_tensorflow()
        _models().serve(settings, lambda _, place, model: channel.ready(model), channel)
    except Exception as error:
        if faults.is_mistake(error):
            channel.failed(True, str(error))
        else:
            kept = faults.keep(error)
            said = f"{type(error).__name__}: {error}; its traceback is kept in {kept}"
            channel.failed(False, said)
        sys.exit(1)


def tell(settings: ServeSettings, place: Place, model: str) -> None:
    """Prints where a server answers, and its limits."""
    scheme = "http" if settings.certificate is None else "https"
    address = f"{scheme}://{place.host}:{place.port}"
    print(f"page  {address}/")
    print(f"REST  {address}/v1/models/{model}:predict")
    if place.grpc_port is not None:
        print(f"gRPC  {place.host}:{place.grpc_port}")
    if settings.workers > 1:
        print(f"workers {settings.workers}, each with the limits that follow")
    print(
        f"limits {settings.max_body_mb:g} MB a body and a tensor, {settings.max_reply_mb:g} MB "
        f"an answer, {settings.max_samples} samples and {settings.timeout:g} s a request, "
        f"{settings.max_connections} connections, {settings.queue_size} requests that wait"
    )
    print("Ctrl-C stops it when what is in flight is answered", flush=True)


def _models() -> Any:
    # TensorFlow and all that is served come with it.
    return importlib.import_module("kgan.cli.serve_models")


class _Lines(logging.Formatter):
    """Lines without escape codes: files and clients choose a part of what is logged."""

    def format(self, record: logging.LogRecord) -> str:
        """A record's lines."""
        return printable(super().format(record))


class _Stderr(logging.Handler):
    """Writes to what is stderr at that time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record."""
        print(self.format(record), file=sys.stderr, flush=True)


def log_lines(prefix: str = "") -> None:
    """Has the server's log written to stderr."""
    handler = _Stderr()
    handler.setFormatter(_Lines(f"%(asctime)s %(levelname)s {prefix}%(message)s"))
    log = logging.getLogger("kgan.serving")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
