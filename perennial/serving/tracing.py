"""OpenTelemetry traces, where the environment names where they go: a span a request, its waits and its batches.

As the OpenTelemetry specification has it, OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) turns it on, and
OTEL_SDK_DISABLED off; OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and the like are read by the SDK. Where none is set,
nothing of it is imported and nothing is sent. No span holds a text.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers

from perennial.core.errors import ServingError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SERVICE = "perennial-serve"


def traces_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says where traces go, and does not turn them off."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not off and any(environment.get(name, "").strip() for name in ENDPOINTS)


class Tracing:
    """Spans of one server; made by `tracing_from_environment`, or in tests with a provider of their own."""

    def __init__(self, provider: Any) -> None:
        """`provider`: an OpenTelemetry SDK TracerProvider."""
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._trace, self._context = provider, trace, context
        self._tracer = provider.get_tracer("perennial.serving")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, scope: Scope) -> tuple[Any, Any]:
        """The span of a request, whose parent its `traceparent` names; and what `end` wants back."""
        parent = self._propagator.extract(dict(Headers(scope=scope)))
        kind, attributes = self._trace.SpanKind.SERVER, {"http.request.method": scope["method"]}
        span = self._tracer.start_span(scope["method"], parent, kind=kind, attributes=attributes)
        return span, self._context.attach(self._trace.set_span_in_context(span))

    def end(self, span: Any, token: Any, route: str | None, status: int) -> None:
        """The request was answered."""
        self._context.detach(token)
        span.set_attribute("http.response.status_code", status)
        if route is not None:
            span.set_attribute("http.route", route)
            span.update_name(f"{span.attributes['http.request.method']} {route}")
        if status >= 500:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()

    def here(self) -> Any:
        """The context of the request that is being answered."""
        return self._context.get_current()

    def batch(self, jobs: Iterable[tuple[Any, int, int]], started: int, rows: int, version: str) -> None:
        """A batch was answered just now, for `jobs`: the context of each, when it last began to wait (ns since the
        epoch), and its rows in this batch. `started`: when the model got it; `rows`: of all of them."""
        ended = time.time_ns()
        for context, waited_since, own in jobs:
            self._span("queue wait", context, waited_since, started, {})
            said = {"perennial.rows": own, "perennial.batch_rows": rows, "perennial.version": version}
            self._span("model batch", context, started, ended, said)

    def flush(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()

    def _span(self, name: str, context: Any, started: int, ended: int, said: Mapping[str, Any]) -> None:
        self._tracer.start_span(name, context, attributes=said, start_time=started).end(end_time=ended)


def tracing_from_environment() -> Tracing | None:
    """Traces to where the environment says; None: it says nowhere.

    Raises ServingError where it does and OpenTelemetry's SDK or exporter is not installed.
    """
    if not traces_wanted():
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        named = next(name for name in ENDPOINTS if os.environ.get(name, "").strip())
        raise ServingError(
            f"{named} says where traces go, and what sends them is not installed ({error.name}).",
            remedy='Install it (pip install "perennial[traces]"), or unset the variable.',
        ) from error
    # Attributes of the environment (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) go before this name.
    named_service = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": SERVICE}
    provider = TracerProvider(resource=Resource.create(named_service))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


class Traces:
    """Middleware: a span for each request."""

    def __init__(self, app: ASGIApp, *, tracing: Tracing) -> None:
        self._app, self._tracing = app, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span, token = self._tracing.begin(scope)
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._tracing.end(span, token, getattr(scope.get("route"), "path", None), status)
