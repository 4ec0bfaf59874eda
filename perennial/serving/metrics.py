"""What Prometheus reads at /metrics."""

from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from perennial.serving.current import Problem

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class ServingMetrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self, model: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry, self._model = CollectorRegistry(), model
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "perennial_requests", "Requests to /predict, by HTTP status.", ["model", "status"], registry=self._registry
        )
        self._seconds = self._histogram(
            "perennial_request_seconds", "From a request's headers to its answer, of those answered with 200.", SECONDS
        )
        rows = Counter("perennial_rows", "Rows answered.", ["model"], registry=self._registry)
        self.rows = rows.labels(model)
        dropped = "Rows let in and not answered, as their client had gone or they waited too long."
        self.dropped_rows = Counter("perennial_dropped_rows", dropped, ["model"], registry=self._registry).labels(model)
        self._closed = Counter(
            "perennial_connections_closed",
            "Connections closed without a request: no headers in time (slow), or no room (too_many).",
            ["model", "why"],
            registry=self._registry,
        )
        self.batch_rows = self._histogram("perennial_batch_rows", "Rows that were answered together.", ROWS)
        self.queue_rows = self._gauge("perennial_queue_rows", "Rows that wait or are being answered.").labels(model)
        self._version = self._gauge("perennial_champion_version", "1 for the version that serves.", "version")
        self._problem = self._gauge(
            "perennial_champion_problem", "1 while that is why no champion, or not the one of now, serves.", "problem"
        )
        self.problem(None)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        made = Histogram(name, what, ["model"], buckets=buckets, registry=self._registry)
        return made.labels(self._model)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, ["model", *labels], registry=self._registry)

    def answered(self, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(self._model, str(status)).inc()
        if status == 200:
            self._seconds.observe(seconds)

    def connection_closed(self, why: str) -> None:
        """A connection was closed that asked nothing: slow, or too_many."""
        self._closed.labels(self._model, why).inc()

    def serves(self, version: str) -> None:
        """`version` serves from now on."""
        self._version.clear()
        self._version.labels(self._model, version).set(1)

    def problem(self, current: Problem | None) -> None:
        """`current` is why no newer champion serves; None: nothing is."""
        for name in get_args(Problem):
            self._problem.labels(self._model, name).set(name == current)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)
