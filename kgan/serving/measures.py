"""The counters of the server, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from kgan.serving.repository import Repository

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Measures:
    """Counters of one server."""

    def __init__(self):
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "kgan_serving_requests",
            "Predict requests, by the code of their answer.",
            ["model", "api", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "kgan_serving_request_seconds",
            "From a request's arrival to its answer.",
            ["model", "api"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_requests = Histogram(
            "kgan_serving_batch_requests",
            "Requests answered by one call into TensorFlow.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.batch_rows = Histogram(
            "kgan_serving_batch_rows",
            "Rows in one call into TensorFlow, before padding.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.waiting = Gauge(
            "kgan_serving_queue_requests",
            "Requests that wait for a call into TensorFlow.",
            registry=self.registry,
        )
        self.version = Gauge(
            "kgan_serving_model_version",
            "1 for each version in memory.",
            ["model", "version"],
            registry=self.registry,
        )

    def observe_batch(self, requests: int, rows: int) -> None:
        """One call into TensorFlow."""
        self.batch_requests.observe(requests)
        self.batch_rows.observe(rows)

    def text(self, repository: Repository) -> bytes:
        """Everything in Prometheus's text format."""
        self.version.clear()
        for name, model in repository.models.items():
            for version, state in list(model.states.items()):
                if state.state == "AVAILABLE":
                    self.version.labels(name, str(version)).set(1)
        return generate_latest(self.registry)
