"""POST /explain: what moved the answers of the version that serves, in no more rows than are allowed, beside others."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from registry_helpers import USER_TEXT
from serving_helpers import Serving

from perennial.core.home import Home
from perennial.inference.explanations.explaining import explain
from perennial.inference.predictor import Predictor
from perennial.registry import versions

TEXTS = ["excellent soup nobody liked the bread", "bread", "", "excellent " * 9]


@pytest.fixture(scope="module")
def predictor(champion: Home) -> Predictor:
    return Predictor(champion.store.root / versions.package(champion, "tiny").path)


@pytest.mark.parametrize("method", ["shapley", "occlusion"])
def test_texts_and_rows_are_explained_as_the_package_alone_explains_them(
    server: Serving, predictor: Predictor, method: str
) -> None:
    expected = json.loads(json.dumps(explain(predictor, TEXTS, method=method)))
    for content in ({"texts": TEXTS}, {"rows": [{"text": text, "id": 7} for text in TEXTS]}):
        answer = server.ask(f"/explain?method={method}", json.dumps(content).encode())
        assert answer.status == 200
        assert (answer.json["model"], answer.json["version"]) == ("tiny", "1")
        for found, wanted in zip(answer.json["explanations"], expected, strict=True):
            assert (found["target"], found["rows"], found["method"]) == (wanted["target"], wanted["rows"], method)
            for token, same in zip(found["tokens"], wanted["tokens"], strict=True):
                assert (token["text"], token["start"], token["end"]) == (same["text"], same["start"], same["end"])
                assert token["weight"] == pytest.approx(same["weight"], abs=1e-5)


def test_rows_are_counted_as_they_are_computed(server: Serving) -> None:
    before, asked = (
        server.figure("perennial_rows_total"),
        server.figure("perennial_explain_requests_total", status="200"),
    )
    answer = server.ask("/explain", json.dumps({"texts": TEXTS[:2]}).encode())
    computed = sum(explanation["rows"] for explanation in answer.json["explanations"])
    assert server.figure("perennial_rows_total") - before == computed
    assert server.figure("perennial_explain_requests_total", status="200") - asked == 1
    assert server.figure("perennial_explain_seconds_count") >= 1


@pytest.mark.parametrize(
    ("query", "texts", "status"),
    [
        ("?method=lime", ["soup"], 400),
        ("?label=nope", ["soup"], 400),
        ("?colour=red", ["soup"], 400),
        ("?label=neutral", ["soup"], 200),
        ("", ["soup"] * 21, 413),
        ("", ["soup " * 50], 413),
        ("", [7], 400),
        ("", [], 400),
    ],
)
def test_what_can_not_be_explained_is_told(server: Serving, query: str, texts: list[object], status: int) -> None:
    answer = server.ask(f"/explain{query}", json.dumps({"texts": texts}).encode())
    assert answer.status == status
    if status == 200:
        assert answer.json["explanations"][0]["target"] == "neutral"
    elif len(texts) == 21:
        assert "serving.explain_texts" in answer.json["remedy"]


def test_predictions_are_answered_beside_explanations(server: Serving) -> None:
    """However many explain, nothing of it is refused or fails; and no text is in the log."""
    body = json.dumps({"texts": [USER_TEXT + " excellent soup bread"] * 2}).encode()
    with ThreadPoolExecutor(6) as clients:
        explaining = [clients.submit(server.ask, "/explain", body) for _ in range(12)]
        answers = [server.predict(texts=["soup"]) for _ in range(20)]
        statuses = {future.result().status for future in explaining}
    assert statuses <= {200, 429}
    assert 200 in statuses
    assert {answer.status for answer in answers} <= {200, 429}
    assert answers[-1].status == 200
    assert USER_TEXT not in server.text
