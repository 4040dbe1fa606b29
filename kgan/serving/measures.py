"""The counters of the server, for Prometheus: kgan's own, and those of TensorFlow Serving."""

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from kgan.serving.repository import Repository
from kgan.serving.workers import METRICS

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# TensorFlow Serving's, in microseconds: 33 buckets from 10 on, each 1.8 times the one before.
_MICROSECONDS = tuple(10 * 1.8**power for power in range(32))
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


_COUNT = ":tensorflow:serving:request_count"


class Measures:
    """Counters of one server; with several workers each has its own, and all tell the sum."""

    def __init__(self):
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "kgan_serving_requests",
            "Requests, by the code of their answer.",
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
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.restarts = Counter(
            "kgan_serving_worker_restarts",
            "Workers that were started in place of one that ended on its own.",
            registry=self.registry,
        )
        self.official = Counter(
            _COUNT,
            "The total number of requests.",
            ["model_name", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Time from a request's arrival to its answer, in microseconds.",
            ["model_name", "API", "entrypoint"],
            buckets=_MICROSECONDS,
            registry=self.registry,
        )
        self.version = Gauge(
            "kgan_serving_model_version",
            "Workers that have the version in memory.",
            ["model", "version"],
            multiprocess_mode="livesum",
            registry=self.registry,
        )

    def observe_request(self, model: str, api: str, method: str, code: str, seconds: float) -> None:
        """One request.

        Args:
            model: The model's name, "unknown" for one that is not served.
            api: "rest" or "grpc".
            method: What was asked, such as "predict".
            code: The code of the answer.
            seconds: Time from its arrival to its answer.
        """
        self.requests.labels(model, api, code).inc()
        self.seconds.labels(model, api).observe(seconds)
        self.official.labels(model, code).inc()
        if code == "OK":
            # As TensorFlow Serving has it: the method's name in lower case for REST alone.
            name = method if api == "rest" else method.capitalize()
            entry = "REST" if api == "rest" else "GRPC"
            self.latency.labels(model, name, entry).observe(seconds * 1e6)

    def observe_batch(self, requests: int, rows: int) -> None:
        """One call into TensorFlow."""
        self.batch_requests.observe(requests)
        self.batch_rows.observe(rows)

    def observe_waiting(self, requests: int) -> None:
        """How many requests wait now."""
        self.waiting.set(requests)

    def observe_versions(self, repository: Repository) -> None:
        """The versions in memory, after a look for others."""
        for name, model in list(repository.models.items()):
            for version, state in list(model.states.items()):
                self.version.labels(name, str(version)).set(state.state == "AVAILABLE")

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        registry = self.registry
        if METRICS in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        # TensorFlow Serving's counter has not the ending that the library gives to counters.
        return generate_latest(registry).replace(f"{_COUNT}_total".encode(), _COUNT.encode())


class Uncounted(Measures):
    """Counts nothing. Other counters would: those of several workers are one by their names."""

    def __init__(self):
        pass

    def observe_request(self, model: str, api: str, method: str, code: str, seconds: float) -> None:
        pass

    def observe_batch(self, requests: int, rows: int) -> None:
        pass

    def observe_waiting(self, requests: int) -> None:
        pass

    def observe_versions(self, repository: Repository) -> None:
        pass

    def text(self) -> bytes:
        return b""
