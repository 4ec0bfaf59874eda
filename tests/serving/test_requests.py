"""What clients ask of a real server, and what they are told."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from registry_helpers import LABELS, USER_TEXT
from serving_helpers import TEXTS, Serving

from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.registry import versions


@pytest.fixture(scope="module")
def predictor(champion: Home) -> Predictor:
    return Predictor(champion.store.root / versions.package(champion, "tiny").path)


def test_texts_and_rows_are_answered_as_the_predictor_answers(server: Serving, predictor: Predictor) -> None:
    expected = predictor.predict(TEXTS)
    for content in ({"texts": TEXTS}, {"rows": [{"text": text, "id": 7} for text in TEXTS]}):
        answer = server.predict(**content)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json == {"model": "tiny", "version": "1", "predictions": expected}


def test_many_clients_get_their_own_answers(server: Serving, predictor: Predictor) -> None:
    words = ["soup", "bread", "excellent", "nobody", "liked"]
    asked = [[" ".join(words[: 1 + (n + m) % 5]) for m in range(1 + n % 4)] for n in range(60)]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda texts: server.predict(texts=texts), asked))
    answered = [answer for answer in zip(asked, answers, strict=True) if answer[1].status == 200]
    assert len(answered) >= 8
    assert {answer.status for answer in answers} <= {200, 429}
    for texts, answer in answered:
        for given, expected in zip(answer.json["predictions"], predictor.predict(texts), strict=True):
            assert given["label"] == expected["label"]
            assert given["scores"] == pytest.approx(expected["scores"], abs=1e-6)


def test_it_says_what_it_serves(server: Serving, predictor: Predictor) -> None:
    assert server.ask("/healthz").json == {"status": "alive"}
    assert server.ask("/readyz").json == {"status": "ready", "version": "1", "problem": None}
    description = server.ask("/").json
    assert (description["model"], description["version"], description["kind"]) == ("tiny", "1", "text-classification")
    assert description["labels"] == list(LABELS)
    assert description["reads"] == [["text"]]
    assert description["package"] == predictor.package.digest


def test_figures_count_what_was_asked(server: Serving) -> None:
    def counted() -> list[float]:
        names = ("perennial_rows_total", "perennial_request_seconds_count", "perennial_batch_rows_sum")
        refused = server.figure("perennial_requests_total", model="tiny", status="400")
        return [*(server.figure(name, model="tiny") for name in names), refused]

    before = counted()
    assert server.predict(texts=TEXTS).status == 200
    assert server.predict(texts=[7]).status == 400
    assert [after - earlier for after, earlier in zip(counted(), before, strict=True)] == [4, 1, 4, 1]
    assert server.figure("perennial_champion_version", model="tiny", version="1") == 1
    assert server.figure("perennial_champion_problem", problem="registry") == 0
    assert server.figure("perennial_queue_rows", model="tiny") == 0
    assert server.figure("process_resident_memory_bytes") > 1e6


LONG = "x" * 101
BAD: list[tuple[bytes, int, str]] = [
    (b"", 400, "The body is not JSON"),
    (b'{"texts": ["a"', 400, "not JSON (line 1, column 15)"),
    (b"\xff\xfe\xfa", 400, "The body is not UTF-8"),
    (b"[" * 5000, 400, "nested too deeply"),
    (b"[]", 400, 'an object with "texts" or "rows"'),
    (b"{}", 400, 'an object with "texts" or "rows"'),
    (b'{"texts": ["a"], "rows": []}', 400, "one of them, no more"),
    (b'{"texts": ["a"], "top_k": 3}', 400, "one of them, no more"),
    (b'{"texts": []}', 400, '"texts" must be a list with at least one item; it is an empty list'),
    (b'{"texts": "a text"}', 400, "it is a text"),
    (b'{"texts": null}', 400, "it is null"),
    (b'{"texts": ["a", 7]}', 400, "texts[1] must be a text; it is a number"),
    (b'{"texts": [null]}', 400, "texts[0] must be a text; it is null"),
    (b'{"texts": [["a", "b"]]}', 400, "texts[0] must be a text; it is a list of 2 (a text)"),
    (b'{"texts": ["\\ud800"]}', 400, "texts[0] holds half of a surrogate pair"),
    (b'{"rows": [7]}', 400, "rows[0] must be an object; it is a number"),
    (b'{"rows": [{"body": "a"}]}', 400, "rows[0] lacks what this model reads: 'text'"),
    (b'{"rows": [{"text": "a"}, {"body": "a"}]}', 400, "rows[1].text is missing"),
    (b'{"rows": [{"text": {}}]}', 400, "rows[0].text must be a text; it is an object"),
    (json.dumps({"texts": ["a"] * 51}).encode(), 413, "has 51 rows; 50 may be asked at once"),
    (json.dumps({"texts": ["a", LONG]}).encode(), 413, "Row 1 has 101 characters; 100 are allowed"),
    (json.dumps({"texts": ["x" * 10_000]}).encode(), 413, "more than 10,000 bytes"),
]


@pytest.mark.parametrize(("body", "status", "words"), BAD, ids=[words for _, _, words in BAD])
def test_what_cannot_be_answered_is_refused_clearly(server: Serving, body: bytes, status: int, words: str) -> None:
    answer = server.ask("/predict", body)
    assert answer.status == status
    assert words in answer.json["error"]
    assert answer.json["code"] == {400: "bad_request", 413: "too_large"}[status]
    assert server.version() == "1"


def test_a_body_without_an_end_is_refused(server: Serving) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall((b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 3)
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


def test_other_places_are_refused_clearly(server: Serving) -> None:
    for path, body, status, code in (
        ("/nowhere", None, 404, "not_found"),
        ("/predict", None, 405, "method_not_allowed"),
    ):
        answer = server.ask(path, body)
        assert (answer.status, answer.json["code"]) == (status, code)
        assert "POST /predict" in answer.json["error"]


def test_no_text_of_a_request_is_told_again(server: Serving) -> None:
    asked = [
        {"texts": [USER_TEXT]},
        {"texts": [[USER_TEXT]]},
        {"rows": [{USER_TEXT: USER_TEXT}]},
        {USER_TEXT: 1},
        {"texts": [USER_TEXT * 5]},
    ]
    for content in asked:
        assert USER_TEXT not in server.predict(**content).body.decode()
    assert USER_TEXT not in server.ask("/predict", USER_TEXT.encode()).body.decode()
    assert USER_TEXT not in server.ask("/metrics").body.decode()
    assert USER_TEXT not in server.text
