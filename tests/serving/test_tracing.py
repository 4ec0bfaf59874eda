"""Traces: sent where the environment says, a span a request with its wait and its batches; else nothing is imported."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from registry_helpers import USER_TEXT
from serving_helpers import serving

from perennial.core.errors import ServingError
from perennial.core.home import Home
from perennial.serving import tracing
from perennial.serving.tracing import traces_wanted

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """The address of an OTLP collector on this machine, and the spans that it got."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                raw = gzip.decompress(raw)
            request = ExportTraceServiceRequest.FromString(raw)
            spans.extend(
                (span, given.resource)
                for given in request.resource_spans
                for one in given.scope_spans
                for span in one.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_request_is_a_trace_with_its_wait_and_its_batch(champion: Home) -> None:
    with collector() as (address, spans):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with serving(champion, "tiny", **environment) as server:
            answer = server.ask("/predict", f'{{"texts": ["{USER_TEXT}"]}}'.encode(), traceparent=PARENT)
            assert answer.headers["x-request-id"] == TRACE
            server.ask("/predict", b"no json")
            assert server.end() == 0
    ours = [span for span, _ in spans if span.trace_id.hex() == TRACE]
    [request] = [span for span in ours if span.name == "POST /predict"]
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    said = {one.key: one.value.int_value or one.value.string_value for one in request.attributes}
    assert said["http.response.status_code"] == 200
    for name in ("queue wait", "model batch"):
        [span] = [span for span in ours if span.name == name]
        assert span.parent_span_id == request.span_id
        assert request.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= request.end_time_unix_nano
    assert len({span.trace_id for span, _ in spans}) == 2
    assert {
        one.value.string_value for _, resource in spans for one in resource.attributes if one.key == "service.name"
    } == {"perennial-serve"}
    assert not any(USER_TEXT.encode() in span.SerializeToString() for span, _ in spans)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_on_where_the_environment_says_where_they_go(environment: dict[str, str], wanted: bool) -> None:
    assert traces_wanted(environment) is wanted


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported() -> None:
    program = (
        "import sys; from perennial.serving import server, tracing; assert tracing.tracing_from_environment() is None; "
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_an_endpoint_without_the_exporter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ServingError, match="OTEL_EXPORTER_OTLP_ENDPOINT says where traces go") as refused:
        tracing.tracing_from_environment()
    assert "perennial[traces]" in str(refused.value)
