"""Each request has an id: its client's where it is well-formed, in the answer, in the log, with no text beside it."""

import json
from collections.abc import Iterator

import pytest
from registry_helpers import USER_TEXT
from serving_helpers import Serving, serving
from starlette.datastructures import Headers

from perennial.core.home import Home
from perennial.serving.requests.request_ids import id_for

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def noisy(champion: Home) -> Iterator[Serving]:
    """A server with an access log."""
    with serving(champion, "tiny", "--set", "serving.access_log=true") as server:
        yield server


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"x-request-id": "abc-123"}, "abc-123"),
        ({"x-request-id": "abc-123", "traceparent": PARENT}, "abc-123"),
        ({"traceparent": PARENT}, TRACE),
        ({"x-request-id": "bad id\r\nX: y", "traceparent": PARENT}, TRACE),
        ({"x-request-id": "x" * 129}, None),
        ({"x-request-id": ""}, None),
        ({"x-request-id": "naïve"}, None),
        ({"traceparent": PARENT.replace(TRACE, "0" * 32)}, None),
        ({"traceparent": "garbage"}, None),
        ({}, None),
    ],
)
def test_a_well_formed_id_is_taken_and_another_is_made(given: dict[str, str], expected: str | None) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
    first, second = (id_for(Headers(raw=raw)) for _ in range(2))
    if expected is None:
        assert first != second
        assert len(first) == 32
    else:
        assert first == second == expected


def test_the_id_is_in_the_answer_whatever_that_is(server: Serving) -> None:
    for path, body in (
        ("/predict", b'{"texts": ["soup"]}'),
        ("/predict", b"no json"),
        ("/nowhere", None),
        ("/readyz", None),
    ):
        answer = server.ask(path, body, **{"X-Request-ID": "mine-7"})
        assert answer.headers["x-request-id"] == "mine-7"
    made = [server.ask("/healthz").headers["x-request-id"] for _ in range(2)]
    assert made[0] != made[1]


def test_the_access_log_has_place_status_and_id_and_nothing_of_the_request(noisy: Serving) -> None:
    body = json.dumps({"texts": [USER_TEXT]}).encode()
    noisy.ask("/predict?q=zanzibar", body, **{"X-Request-ID": "one"})
    noisy.ask("/zanzibar/secret", None, **{"X-Request-ID": "two"})
    noisy.until(lambda: any(line.get("request_id") == "two" for line in noisy.log))
    lines = {line["request_id"]: line["message"] for line in noisy.log if line.get("request_id") in ("one", "two")}
    assert lines["one"].startswith("POST /predict: 200 in ")
    assert lines["two"].startswith("GET an unknown place: 404 in ")
    assert "zanzibar" not in noisy.text


def test_without_an_access_log_requests_leave_no_line(server: Serving) -> None:
    before = len(server.log)
    server.predict(texts=["soup"])
    server.ask("/healthz")
    assert not [line for line in server.log[before:] if "request_id" in line]
