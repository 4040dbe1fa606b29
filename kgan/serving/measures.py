"""The counters of the server, for Prometheus: kgan's own, and those of TensorFlow Serving."""

from collections import Counter as Counts

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from kgan.serving.repository import Repository

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# TensorFlow Serving's, in microseconds: 33 buckets from 10 on, each 1.8 times the one before.
_MICROSECONDS = tuple(10 * 1.8**power for power in range(32))
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Measures:
    """Counters of one server."""

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
            registry=self.registry,
        )
        self.official = Counts[tuple[str, str]]()
        self.latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Time from a request's arrival to its answer, in microseconds.",
            ["model_name", "API", "entrypoint"],
            buckets=_MICROSECONDS,
            registry=self.registry,
        )
        self.version = Gauge(
            "kgan_serving_model_version",
            "1 for each version in memory.",
            ["model", "version"],
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
        self.official[model, code] += 1
        if code == "OK":
            # As TensorFlow Serving has it: the method's name in lower case for REST alone.
            name = method if api == "rest" else method.capitalize()
            entry = "REST" if api == "rest" else "GRPC"
            self.latency.labels(model, name, entry).observe(seconds * 1e6)

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
        return generate_latest(self.registry) + self._request_count()

    def _request_count(self) -> bytes:
        """TensorFlow Serving's counter, by hand: the library would add `_total` to its name."""
        name = ":tensorflow:serving:request_count"
        lines = [f"# HELP {name} The total number of requests.", f"# TYPE {name} counter"]
        for (model, code), count in sorted(self.official.items()):
            model = model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            lines.append(f'{name}{{model_name="{model}",status="{code}"}} {count}')
        return ("\n".join(lines) + "\n").encode()
