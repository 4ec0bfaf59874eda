"""What Prometheus reads at /metrics."""

import os
from typing import Any, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from perennial.serving.current import Problem
from perennial.serving.workers import FIGURES

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class _Families:
    """The figures of a server, each with the model as its first label."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.shared = bool(os.environ.get(FIGURES))
        """Whether several processes count together."""
        if not self.shared:
            ProcessCollector(registry=self.registry)
        self.models: dict[str, ServingMetrics] = {}
        self.requests = self._counter("requests", "Requests that asked a model, by HTTP status.", "status")
        self.seconds = self._histogram(
            "perennial_request_seconds", "From a request's headers to its answer, of those answered with 200.", SECONDS
        )
        self.rows = self._counter("rows", "Rows answered.")
        self.dropped = self._counter(
            "dropped_rows", "Rows let in and not answered, as their client had gone or they waited too long."
        )
        self.explain_requests = self._counter("explain_requests", "Requests to /explain, by HTTP status.", "status")
        self.explain_seconds = self._histogram(
            "perennial_explain_seconds", "As perennial_request_seconds, of /explain.", SECONDS
        )
        self.unlogged = self._counter("unlogged_rows", "Answers that the prediction log could not take.")
        self.compared = self._counter("compared_rows", "Rows that both versions of a trial were asked.")
        self.dropped_comparisons = self._counter(
            "dropped_comparisons", "Requests of a trial that were not asked of both, for lack of time."
        )
        self.failed_challenger = self._counter(
            "challenger_failures", "Requests that the challenger could not answer, and the champion was asked instead."
        )
        self.challenger = self._gauge("challenger_version", "1 for the version that is tried.", "version")
        self.closed = self._counter(
            "connections_closed",
            "Connections closed: no headers in time (slow), too long ones (headers), no room (too_many), or an answer "
            "not read in time (unread).",
            "why",
        )
        self.workers = self._gauge("workers", "Processes that answer.")
        self.refused = self._counter(
            "refused",
            "Requests that were not let in: no good key (unauthorized), another scope (forbidden), too_often.",
            "why",
        )
        self.batch_rows = self._histogram("perennial_batch_rows", "Rows that were answered together.", ROWS)
        self.queue_rows = self._gauge("queue_rows", "Rows that wait or are being answered.")
        self.version = self._gauge("champion_version", "1 for the version that serves.", "version")
        self.problem = self._gauge(
            "champion_problem", "1 while that is why no champion, or not the one of now, serves.", "problem"
        )

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"perennial_{name}", what, ["model", *labels], registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, what, ["model"], buckets=buckets, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        """Of several workers that live: the sum, or where it says which, the largest."""
        mode: Any = "livemax" if labels else "livesum"
        return Gauge(f"perennial_{name}", what, ["model", *labels], registry=self.registry, multiprocess_mode=mode)


class ServingMetrics:
    """The counters of one model; those of a server's models are told together."""

    _families: _Families

    def __init__(self, model: str, beside: "ServingMetrics | None" = None) -> None:
        """`beside`: of another model of the same server."""
        families: _Families = beside._families if beside else _Families()
        self._families = families
        families.models[model] = self
        self._model, self._serving, self._tried = model, "", ""
        self._seconds = families.seconds.labels(model)
        self.rows = families.rows.labels(model)
        self.dropped_rows = families.dropped.labels(model)
        self.batch_rows = families.batch_rows.labels(model)
        self.queue_rows = families.queue_rows.labels(model)
        self.unlogged_rows = families.unlogged.labels(model)
        self.compared_rows = families.compared.labels(model)
        self.dropped_comparisons = families.dropped_comparisons.labels(model)
        self.challenger_failures = families.failed_challenger.labels(model)
        self._explain_seconds = families.explain_seconds.labels(model)
        families.workers.labels(model).set(1)
        self.problem(None)

    def of(self, model: str) -> "ServingMetrics":
        """Those of `model` of this server."""
        return self._families.models[model]

    def answered(self, status: int, seconds: float) -> None:
        """A request was answered."""
        self._families.requests.labels(self._model, str(status)).inc()
        if status == 200:
            self._seconds.observe(seconds)

    def explained(self, status: int, seconds: float) -> None:
        """A request for explanations was answered."""
        self._families.explain_requests.labels(self._model, str(status)).inc()
        if status == 200:
            self._explain_seconds.observe(seconds)

    def connection_closed(self, why: str) -> None:
        """A connection was closed that did not ask or did not read: slow, headers, too_many, or unread."""
        self._families.closed.labels(self._model, why).inc()

    def refused(self, why: str) -> None:
        """A request was not let in: a problem's code."""
        self._families.refused.labels(self._model, why).inc()

    def serves(self, version: str) -> None:
        """`version` serves from now on."""
        self._serving = self._moved(self._families.version, self._serving, version)

    def tries(self, version: str | None) -> None:
        """`version` is tried from now on; None: none is."""
        self._tried = self._moved(self._families.challenger, self._tried, version or "")

    def _moved(self, gauge: Gauge, before: str, now: str) -> str:
        """`now`, which is 1 in `gauge` from now on, and `before` no more."""
        if before and self._families.shared:
            # What several processes share can't be taken away.
            gauge.labels(self._model, before).set(0)
        elif before:
            gauge.remove(self._model, before)
        if now:
            gauge.labels(self._model, now).set(1)
        return now

    def problem(self, current: Problem | None) -> None:
        """`current` is why no newer champion serves; None: nothing is."""
        for name in get_args(Problem):
            self._families.problem.labels(self._model, name).set(name == current)

    def text(self) -> bytes:
        """Those of all models of the server, as Prometheus reads them; of several workers their sums."""
        if not self._families.shared:
            return generate_latest(self._families.registry)
        summed = CollectorRegistry()
        multiprocess.MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
        return generate_latest(summed)
