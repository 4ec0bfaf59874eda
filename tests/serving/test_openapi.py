"""The OpenAPI document says what is so: each place and status is in it, and real answers are as it says."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosting import KINDS, hosting, make_host, tiny_predictor
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.routing import Route

from perennial.inference.predictor import Predictor
from perennial.serving import web_pages
from perennial.serving.app import make_app

TEXT = "excellent soup, nobody liked the bread"
JSON, CSV = "application/json", "text/csv"
PLAIN = {"Accept": "*/*"}


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    return {kind: tiny_predictor(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


@pytest.fixture(scope="module")
def all_kinds(predictors: dict[str, Predictor]) -> Iterator[str]:
    """A server of a model of each kind."""
    with hosting(predictors, max_rows=3, queue_rows=3, max_characters=100, max_body_bytes=1000) as address:
        yield address


@pytest.fixture(scope="module")
def alone(predictors: dict[str, Predictor]) -> Iterator[str]:
    with hosting({"tiny": predictors["text-classification"]}, max_rows=3) as address:
        yield address


def ask(address: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read()


def document_of(address: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ask(f"{address}/openapi.json", None, PLAIN)[2])
    validate(document)
    return document


def check(document: dict[str, Any], where: dict[str, Any], content: Any) -> None:
    """`content` must be as the schema `where` of `document` says."""
    Draft202012Validator(where | {"components": document["components"]}).validate(content)


def check_answer(document: dict[str, Any], path: str, method: str, answer: tuple[int, str, bytes]) -> None:
    """Status, media type and content of a real `answer` must be in the document."""
    status, media_type, content = answer
    described = document["paths"][path][method]["responses"]
    assert str(status) in described, (path, status, content)
    response = described[str(status)]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    assert media_type in response["content"], (path, media_type)
    if media_type == JSON and path.rpartition("/")[2] != "version":
        check(document, response["content"][media_type]["schema"], json.loads(content) if content.strip() else None)


def test_every_place_is_described(predictors: dict[str, Predictor], alone: str, all_kinds: str) -> None:
    for models, address in (({"tiny": predictors["regression"]}, alone), (predictors, all_kinds)):
        routes = [route for route in make_app(make_host(models)).routes if isinstance(route, Route)]
        there_are = {
            (route.path.replace("{model}", name), method.lower())
            for route in routes
            for name in models
            for method in (route.methods or set()) - {"HEAD"}
        }
        paths = document_of(address)["paths"]
        described = {(path, method) for path, methods in paths.items() for method in methods}
        assert described == there_are, "describe new places in perennial/serving/openapi/operations.py"


def test_every_status_of_a_refusal_is_described(alone: str) -> None:
    import ast

    from perennial.serving import problems

    tree = ast.parse(Path(problems.__file__).read_text(encoding="utf-8"))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestProblem"
    ]
    statuses = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert {400, 413, 429, 503} <= statuses
    assert {str(status) for status in statuses} <= set(document_of(alone)["components"]["responses"])


@pytest.mark.parametrize("kind", KINDS)
def test_examples_are_answered_as_described(kind: str, all_kinds: str) -> None:
    document = document_of(all_kinds)
    for place in ("predict", "invocations"):
        path = f"/models/{kind}/{place}"
        for media_type, body in document["paths"][path]["post"]["requestBody"]["content"].items():
            example = body["example"]
            check(document, body["schema"], example)
            raw = example if isinstance(example, str) else json.dumps(example)
            answer = ask(all_kinds + path, raw.encode(), {"Content-Type": media_type})
            assert answer[0] == 200, (path, media_type, answer)
            check_answer(document, path, "post", answer)


@pytest.mark.parametrize("kind", KINDS)
def test_real_answers_are_as_described(kind: str, all_kinds: str, predictors: dict[str, Predictor]) -> None:
    document = document_of(all_kinds)
    path = f"/models/{kind}/predict"
    alternatives = [{"tokens": TEXT.split()}] if kind == "token-classification" else []
    row = dict.fromkeys(predictors[kind].decoder.columns[-1], TEXT)
    for body in ({"rows": [row, row]}, *({"rows": [one]} for one in alternatives)):
        check(document, document["paths"][path]["post"]["requestBody"]["content"][JSON]["schema"], body)
        answer = ask(all_kinds + path, json.dumps(body).encode(), {"Content-Type": JSON})
        assert answer[0] == 200
        check_answer(document, path, "post", answer)
    for body in (b"", b'{"texts": [7]}', b'{"texts": ["a", "a", "a", "a"]}', b" " * 1001):
        answer = ask(all_kinds + path, body, {"Content-Type": JSON})
        assert answer[0] in {400, 413}
        check_answer(document, path, "post", answer)


def test_what_is_asked_without_a_body_is_answered_as_described(alone: str, all_kinds: str) -> None:
    for address in (alone, all_kinds):
        document = document_of(address)
        for path, methods in document["paths"].items():
            if "get" not in methods:
                continue
            names = tuple(web_pages.TYPES) if "{name}" in path else ("",)
            for name in names:
                asked = path.replace("{name}", name)
                for accepted in ("*/*", "text/html,application/xhtml+xml"):
                    answer = ask(address + asked, None, {"Accept": accepted})
                    assert answer[0] == 200, asked
                    check_answer(document, path, "get", answer)
            check_answer(document, path, "get", ask(address + path, b"{}", {}))


def test_a_model_that_is_not_served_and_a_place_that_is_not_there(alone: str, all_kinds: str) -> None:
    status, _, content = ask(f"{all_kinds}/models/nobody/predict", b'{"texts": ["a"]}', {})
    assert (status, json.loads(content)["code"]) == (404, "no_such_model")
    # Which of several is meant must be said.
    status, _, content = ask(f"{all_kinds}/predict", b'{"texts": ["a"]}', {})
    assert (status, json.loads(content)["code"]) == (404, "not_found")
    assert "POST /models/{model}/predict" in json.loads(content)["error"]
    status, _, content = ask(f"{alone}/nowhere", None, {})
    assert (status, "POST /predict" in json.loads(content)["error"]) == (404, True)


def test_the_docs_page_holds_each_place_and_nothing_from_elsewhere(alone: str) -> None:
    status, media_type, content = ask(f"{alone}/docs", None, {"Accept": "text/html"})
    page = content.decode()
    assert (status, media_type) == (200, "text/html")
    for path in document_of(alone)["paths"]:
        assert f"<code>{path}</code>" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
