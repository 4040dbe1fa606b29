"""Settings of `kgan serve`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from kgan.settings.groups import Messages, check_at_least


@dataclass(frozen=True, kw_only=True)
class ServeSettings(Messages):
    """Serve exported models with TensorFlow Serving's contract, and a page to play with."""

    # What
    models: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of exported models, such as saved_models/digits; each is served under its name."""
    config: Path | None = None
    """In place of folders, a models.config file as TensorFlow Serving takes it: names, folders,
    version policies and labels. A client may then send another one while the server runs, with
    folders beside those of the file."""
    classifier: Path | None = None
    """A classifier's .keras file that the page lets you fool."""
    class_names: tuple[str, ...] = ()
    """What its classes are called; default their numbers."""
    versions: tuple[int, ...] = ()
    """Serve exactly these versions; default the newest, also one that comes later."""
    labels: tuple[str, ...] = ()
    """Names for versions, such as stable=1 canary=2; those versions must be among --versions."""

    # Where
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""
    port: int = 8501
    """Of REST and the page; 0 for any that is free."""
    grpc_port: int | None = 8500
    """Of gRPC; 0 for any that is free, None for no gRPC."""
    workers: int = 1
    """Processes that share the ports, each with models, memory and limits of its own; for machines
    with more cores than one process of Python can use."""

    # Who may ask
    allowed_hosts: tuple[str, ...] = ()
    """Further names by which the server may be asked, such as serving.example.org; * for any."""
    allowed_origins: tuple[str, ...] = ()
    """Other sites whose pages may ask, such as https://example.org; * for all; default none."""
    token_file: Path | None = None
    """File with a token that clients must send as `Authorization: Bearer TOKEN`."""
    certificate: Path | None = None
    """PEM file of a certificate with its chain: REST, gRPC and the page use TLS."""
    key: Path | None = None
    """PEM file of the certificate's private key."""

    # Batching
    batch: bool = False
    """Join and pad requests for models too that do not say, as kgan's exports do, that each row is
    answered apart from the others."""
    max_batch: int = 64
    """Most samples in one call into TensorFlow; 1 for no batching."""
    batch_timeout_ms: float = 0.0
    """How long a request waits for others although a thread is free."""
    threads: int = 2
    """Calls into TensorFlow at a time."""

    # Limits
    queue_size: int = 256
    """Most requests that wait; further ones are answered with 429."""
    max_samples: int = 1024
    """Most samples in a request."""
    max_body_mb: float = 16.0
    """Most megabytes in a request's body, in a tensor, and in the images of its files, decoded."""
    max_reply_mb: float = 128.0
    """Most megabytes in the arrays of an answer; its JSON may be five times as long."""
    max_connections: int = 1000
    """Most connections at a time, and gRPC requests; for a further one the idlest is dropped."""
    max_per_address: int = 512
    """Most connections of one address at a time."""
    timeout: float = 30.0
    """Seconds that a request may take."""
    poll: float = 2.0
    """Seconds between looks for new versions."""
    grace: float = 30.0
    """Seconds that requests in flight get when the server is stopped."""

    @property
    def needs_tensorflow(self) -> bool:
        """Not where the process only watches others."""
        return self.workers == 1

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "max_batch", "threads", "queue_size", "max_samples")
        check_at_least(self, 1, "max_connections", "max_per_address", "workers")
        if bool(self.models) == (self.config is not None):
            raise ValueError(
                "give the folders of exported models, such as saved_models/digits, or --config "
                "with a models.config file."
            )
        if self.config is not None and (self.versions or self.labels):
            raise ValueError("versions and labels stand in the file that --config names.")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key must be given together.")
        check_at_least(self, 0, "batch_timeout_ms", "grace")
        for name in ("timeout", "poll", "max_body_mb", "max_reply_mb"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")
        for label in self.labels:
            name, _, version = label.partition("=")
            if not (name and version.isdecimal() and int(version) in self.versions):
                raise ValueError(
                    f"labels must be NAME=VERSION with a version among --versions, got {label!r}."
                )
