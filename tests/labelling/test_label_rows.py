"""From a text that was chosen, by its label given over HTTP, to a row that a run learns from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Labelled, Make, live_rows
from starlette.testclient import TestClient

from perennial.ingest.snapshots import accept, ingest
from perennial.labelling.page.app import make_app
from perennial.labelling.page.checks import LOOPBACK
from perennial.records.data import Snapshot

HERE = "http://localhost:8010"


def client(made: Labelled, **options: Any) -> TestClient:
    return TestClient(make_app(made.desk(), **{"hosts": LOOPBACK, "admits": None, **options}), base_url=HERE)


def rows(made: Labelled) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    snapshot: Snapshot = ingest(made.spec, made.home)
    accept(made.spec, snapshot, made.home)
    for part in snapshot.parts:
        yield from pq.read_table(made.home.store.root / part.path).to_pylist()


def test_labels_given_by_http_are_rows_of_the_next_run(make: Make) -> None:
    made = make(columns={"text": "headline", "label": "mood", "id": "nr", "time": "published", "slices": ["sector"]})
    made.choose(live_rows(100))
    asked = client(made)
    queue = asked.post("/api/begin", json={"annotator": "ann"}).json()["queue"]
    for number, one in enumerate(queue[:6]):
        said = {"annotator": "ann", "id": one, "value": made.spec.data.labels[number % 3]}
        assert asked.post("/api/answer", json=said).json()["progress"]["mine"] == number + 1
    assert asked.post("/api/skip", json={"annotator": "ann", "id": queue[6]}).status_code == 200
    undone = asked.post("/api/undo", json={"annotator": "ann"}).json()["id"]
    assert undone == queue[6]
    assert asked.post("/api/undo", json={"annotator": "ann"}).json()["id"] == queue[5]
    found = {row["row_id"]: row for row in rows(made)}
    assert {one: row["label"] for one, row in found.items()} == {
        one: made.spec.data.labels[number % 3] for number, one in enumerate(queue[:5])
    }
    first = found[queue[0]]
    assert first["text"].startswith("text ")
    assert first["sector"] in ("banks", "energy")
    assert first["time"].isoformat().startswith("2026-03-01")


def test_several_peoples_answers_are_folded_as_the_pipeline_says(make: Make) -> None:
    made = make()
    made.choose(live_rows(60))
    desk = made.desk()
    agreed, torn, *_ = desk.queue("ann")
    # All three saw both before anybody answered.
    for name, labels in {
        "ann": ("negative", "positive"),
        "bob": ("negative", "neutral"),
        "eve": ("positive", "negative"),
    }.items():
        for one, label in zip((agreed, torn), labels, strict=True):
            desk.answer(name, one, label)
    assert {row["row_id"]: row["label"] for row in rows(made)} == {agreed: "negative"}


@pytest.mark.parametrize(
    ("kind", "value", "column", "target"),
    [
        ("multi-label", ["positive"], "labels", ["positive"]),
        ("multi-label", [], "labels", []),
        ("regression", "2.5", "label", 2.5),
        ("token-classification", [{"start": 0, "end": 4, "label": "neutral"}], "spans", None),
    ],
)
def test_other_kinds_are_read_back(kind: str, value: Any, column: str, target: Any, make: Make) -> None:
    made = make(kind)
    made.choose(live_rows(60, scores=None))
    desk = made.desk()
    desk.answer("ann", desk.queue("ann")[0], value)
    [row] = rows(made)
    said = next(row[name] for name in (column, "label", "value", "target") if name in row)
    if target is None:
        assert [(one["start"], one["end"], one["label"]) for one in said] == [(0, 4, "neutral")]
    else:
        assert said == target


def test_a_labelled_file_beside_a_table_is_read_with_it(make: Make) -> None:
    made = make()
    (made.folder / "old.jsonl").write_text(json.dumps({"id": "old", "text": "old", "label": "neutral"}) + "\n")
    paths = ("old.jsonl", "labelled/labels.jsonl")
    source = made.spec.data.source.model_copy(update={"path": paths})
    made.spec = made.spec.model_copy(update={"data": made.spec.data.model_copy(update={"source": source})}).located(
        made.folder
    )
    made.choose(live_rows(30))
    # Nobody labelled yet: the file is there, and empty.
    assert [row["row_id"] for row in rows(made)] == ["old"]
    desk = made.desk()
    first = desk.queue("ann")[0]
    desk.answer("ann", first, "positive")
    assert {row["row_id"]: row["label"] for row in rows(made)} == {"old": "neutral", first: "positive"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:8010"}, 421),
        ({"Origin": HERE}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_only_our_own_page_may_ask(headers: dict[str, str], status: int, make: Make) -> None:
    made = make()
    made.choose(live_rows(30))
    sent = {"Content-Type": "application/json", **headers}
    answered = client(made).post("/api/begin", content=b'{"annotator": "ann"}', headers=sent)
    assert answered.status_code == status
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options"):
        assert name in answered.headers
    assert "unsafe" not in answered.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 422),
        (b'{"annotator": 3}', 422),
        (b'{"annotator": "a\\u0000b"}', 422),
        (b'{"annotator": "ann", "id": 3, "value": "neutral"}', 422),
        (b'{"annotator": "ann", "id": "none such", "value": "neutral"}', 422),
        (b'{"annotator": "\\ud800", "id": "none such", "value": "neutral"}', 422),
        (b" " * (1 << 21), 413),
    ],
)
def test_what_is_no_answer_is_refused_and_nothing_kept(body: bytes, status: int, make: Make) -> None:
    made = make()
    made.choose(live_rows(30))
    sent = client(made).post("/api/answer", content=body, headers={"Content-Type": "application/json"})
    assert sent.status_code == status
    assert sent.json()["error"]
    assert made.desk().path.read_bytes() == b""


def test_where_keys_are_asked_for_no_text_is_shown_without_one(make: Make) -> None:
    made = make()
    made.choose(live_rows(30))
    asked = client(made, hosts=None, admits=lambda key: None if key == "right" else "A key is asked for.")
    assert asked.get("/").status_code == 200
    assert asked.post("/api/begin", json={"annotator": "ann"}).status_code == 401
    right = {"Authorization": "Bearer right"}
    assert asked.post("/api/begin", json={"annotator": "ann"}, headers=right).status_code == 200
