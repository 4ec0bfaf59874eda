"""MLflow's clients ask this server as they ask MLflow's own, and are answered the same."""

import gzip
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from hosting import hosting, tiny_predictor
from mlflow.models import infer_signature
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from registry_helpers import USER_TEXT

from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.registry.pyfunc import SCRIPT
from perennial.serving.requests.invocations import FORMATS

TEXTS = ["excellent soup", "nobody liked the bread, really", "soup"]
PAIRS = [["soup", "bread"], ["excellent", "nobody"]]
JSON, CSV = "application/json", "text/csv"


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    return {kind: tiny_predictor(tmp_path_factory.mktemp(kind), kind) for kind in ("text-classification", "text-pair")}


@pytest.fixture(scope="module")
def addresses(predictors: dict[str, Predictor]) -> Iterator[dict[str, str]]:
    limits = {"max_rows": 20, "queue_rows": 20, "max_characters": 200, "max_body_bytes": 5000}
    with (
        hosting({"one": predictors["text-classification"]}, **limits) as one,
        hosting({"pair": predictors["text-pair"]}, **limits) as pair,
    ):
        yield {"text-classification": one, "text-pair": pair}


@pytest.fixture(scope="module")
def mlflow_models(tmp_path_factory: pytest.TempPathFactory, predictors: dict[str, Predictor]) -> dict[str, Any]:
    """What `mlflow models serve` would load of both."""
    return {kind: mlflow_model(tmp_path_factory.mktemp("mlflow"), kind) for kind in predictors}


def mlflow_model(folder: Path, kind: str) -> Any:
    predictor = tiny_predictor(folder, kind)
    package = next(Home(folder).store.root.rglob("package.json")).parent
    columns = {name: ["soup"] for name in predictor.decoder.columns[-1]}
    signature = infer_signature(pd.DataFrame(columns), predictor.predict_columns(columns))
    mlflow.pyfunc.save_model(
        folder / "model", python_model=SCRIPT, artifacts={"package": str(package)}, signature=signature
    )
    return mlflow.pyfunc.load_model(str(folder / "model"))


def ask(address: str, body: Any, content_type: str = JSON, **headers: str) -> tuple[int, dict[str, Any], Any]:
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/invocations", raw, {"Content-Type": content_type} | headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


RECORDS = [{"text": text, "id": 7} for text in TEXTS]
PAIR_RECORDS = [{"text": one, "text_pair": other} for one, other in PAIRS]
SAME: list[tuple[str, Any, str]] = [
    ("text-classification", {"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}}, JSON),
    (
        "text-classification",
        {"dataframe_split": {"columns": ["id", "text"], "index": [5], "data": [[7, "soup"]]}},
        JSON,
    ),
    ("text-classification", {"dataframe_records": RECORDS}, JSON),
    ("text-classification", {"instances": TEXTS}, JSON),
    ("text-classification", {"instances": RECORDS}, JSON),
    ("text-classification", {"instances": {"text": TEXTS}}, JSON),
    ("text-classification", {"inputs": TEXTS}, JSON),
    ("text-classification", {"inputs": RECORDS}, JSON),
    ("text-classification", {"inputs": {"text": TEXTS}}, JSON),
    ("text-classification", {"inputs": {"text": "soup"}}, JSON),
    ("text-classification", {"inputs": TEXTS, "params": {"top_k": 3}}, "application/json; charset=utf-8"),
    ("text-classification", pd.DataFrame(RECORDS).to_csv(), CSV),
    ("text-classification", pd.DataFrame(RECORDS).to_csv(index=False), "text/csv; charset=UTF-8"),
    ("text-pair", {"dataframe_split": {"columns": ["text", "text_pair"], "data": PAIRS}}, JSON),
    ("text-pair", {"dataframe_split": {"columns": ["text_pair", "text"], "data": PAIRS}}, JSON),
    ("text-pair", {"dataframe_records": PAIR_RECORDS}, JSON),
    ("text-pair", {"instances": PAIR_RECORDS}, JSON),
    ("text-pair", {"inputs": {"text": ["soup", "bread"], "text_pair": ["bread", "soup"]}}, JSON),
    ("text-pair", pd.DataFrame(PAIR_RECORDS).to_csv(), CSV),
]


@pytest.mark.parametrize(("kind", "body", "content_type"), SAME, ids=[str(number) for number in range(len(SAME))])
def test_answers_are_those_of_mlflows_own_server(
    kind: str, body: Any, content_type: str, addresses: dict[str, str], mlflow_models: dict[str, Any]
) -> None:
    model = mlflow_models[kind]
    raw = body if isinstance(body, str) else json.dumps(body)
    theirs = scoring_server.invocations(raw.encode(), content_type, model, model.metadata.get_input_schema())
    status, ours, _ = ask(addresses[kind], body, content_type)
    assert (theirs.status, status) == (200, 200), (theirs.response, ours)
    assert ours.keys() == {"predictions"}
    for given, expected in zip(ours["predictions"], json.loads(theirs.response)["predictions"], strict=True):
        assert given["label"] == expected["label"]
        assert given["scores"] == pytest.approx(expected["scores"], abs=1e-6)


@pytest.mark.parametrize("path", ["", "/models/one"])
def test_mlflows_client_works_unchanged(path: str, addresses: dict[str, str], predictors: dict[str, Predictor]) -> None:
    host, _, port = addresses["text-classification"].removeprefix("http://").partition(":")
    client = ScoringServerClient(host, port + path)
    client.wait_server_ready(timeout=10)
    client.ping()
    assert client.get_version() == mlflow.__version__
    expected = [answer["label"] for answer in predictors["text-classification"].predict(TEXTS)]
    for given in (pd.DataFrame({"text": TEXTS}), pd.Series(TEXTS).to_numpy(), TEXTS):
        answer = client.invoke(given, params={"temperature": 0.5})
        assert answer.get_predictions()["label"].tolist() == expected


def test_curl_sends_a_file_of_rows(addresses: dict[str, str], tmp_path: Path) -> None:
    assert shutil.which("curl"), "Install curl; `make tools` does, as root, where there is apt-get."
    (tmp_path / "rows.csv").write_text('text\n"soup, excellent"\nbread\n')
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress((tmp_path / "rows.csv").read_bytes()))
    address = f"{addresses['text-classification']}/invocations"
    answers = []
    for name, more in (("rows.csv", []), ("rows.csv.gz", ["-H", "Content-Encoding: gzip"])):
        command = ["curl", "-sS", "--compressed", "-H", "Content-Type: text/csv", *more]
        said = subprocess.run(
            [*command, "--data-binary", f"@{tmp_path / name}", address], capture_output=True, check=True
        )
        answers.append(json.loads(said.stdout))
    assert len(answers[0]["predictions"]) == 2
    assert answers[0] == answers[1]


def test_params_that_nothing_is_made_of_are_named(addresses: dict[str, str]) -> None:
    address = addresses["text-classification"]
    for params, named in (({"top_k": 1}, "params"), ({}, None), (None, None)):
        status, _, headers = ask(address, {"inputs": ["soup"], "params": params})
        assert (status, headers["Perennial-Ignored"]) == (200, named)


BAD: list[tuple[Any, str, int, str]] = [
    ([], JSON, 400, "an object with one of dataframe_split"),
    ({"texts": ["a"]}, JSON, 400, "an object with one of dataframe_split"),
    ({"inputs": ["a"], "instances": ["a"]}, JSON, 400, "an object with one of dataframe_split"),
    ({"inputs": ["a"], "more": 7}, JSON, 400, "beside it at most params"),
    ({"inputs": ["a"], "params": 7}, JSON, 400, "params must be an object; it is a number"),
    ({"inputs": []}, JSON, 400, "it is an empty list"),
    ({"inputs": "a"}, JSON, 400, '"inputs" must be a list with at least one item; it is a text'),
    ({"inputs": [1]}, JSON, 400, "inputs[0] must be a text; it is a number"),
    ({"inputs": {"text": ["a"], "id": [1, 2]}}, JSON, 400, "lists of one length"),
    ({"inputs": {"text": ["a"], "id": 1}}, JSON, 400, "lists of one length"),
    ({"inputs": {"body": ["a"]}}, JSON, 400, "inputs[0] lacks what this model reads: 'text'"),
    ({"inputs": {}}, JSON, 400, "inputs[0] lacks what this model reads"),
    ({"dataframe_records": [{"text": None}]}, JSON, 400, "dataframe_records[0].text must be a text; it is null"),
    ({"dataframe_records": {"text": "a"}}, JSON, 400, "must be a list"),
    ({"dataframe_records": [{"text": "a"}] * 21}, JSON, 413, "has 21 rows"),
    ({"dataframe_records": [{"text": "x" * 201}]}, JSON, 413, "Row 0 has 201 characters"),
    ({"dataframe_split": {"data": [["a"]]}}, JSON, 400, "columns, data and perhaps index"),
    ({"dataframe_split": {"columns": ["text"], "data": [["a"]], "name": 1}}, JSON, 400, "and nothing else"),
    ({"dataframe_split": {"columns": ["text", "text"], "data": [["a", "b"]]}}, JSON, 400, "each once"),
    ({"dataframe_split": {"columns": [1], "data": [["a"]]}}, JSON, 400, "a list of names"),
    ({"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}, JSON, 400, "data[0] must be a list of 1 cells"),
    ({"dataframe_split": {"columns": ["text"], "data": 7}}, JSON, 400, "data must be a list of rows"),
    ("text\n", CSV, 400, "it is an empty list"),
    ("", CSV, 400, "no CSV in UTF-8"),
    ('text\n"a\n', CSV, 400, "no CSV in UTF-8"),
    (b"text\n\xff\n", CSV, 400, "no CSV in UTF-8"),
    ("text\na,b\n", CSV, 400, "Row 0 of the CSV has 2 cells"),
    ("body\na\n", CSV, 400, "csv[0] lacks what this model reads"),
    ({"inputs": ["a"]}, "text/plain", 415, "application/json or text/csv"),
    ({"inputs": ["a"]}, "application/json; charset=latin-1", 415, "in UTF-8"),
    ({"inputs": ["a"]}, "application/json; boundary=x", 415, "in UTF-8"),
    ({"inputs": ["x" * 5000]}, JSON, 413, "more than 5,000 bytes"),
]


@pytest.mark.parametrize(("body", "content_type", "status", "words"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_what_predict_would_refuse_is_refused(
    body: Any, content_type: str, status: int, words: str, addresses: dict[str, str]
) -> None:
    answered, content, _ = ask(addresses["text-classification"], body, content_type)
    assert answered == status, content
    assert words in content["error"], content
    assert content.keys() == {"code", "error", "remedy"}


@pytest.mark.parametrize("name", [*FORMATS, "csv"])
def test_no_text_is_told_again(name: str, addresses: dict[str, str]) -> None:
    wrong: Any = {USER_TEXT: [USER_TEXT], "b": USER_TEXT}
    body: Any = {name: wrong, USER_TEXT: USER_TEXT} if name != "csv" else f"{USER_TEXT},{USER_TEXT}\n{USER_TEXT}\n"
    for content in (body, {name: wrong}, {name: [wrong]}, {name: [USER_TEXT, 7]}):
        _, said, _ = ask(addresses["text-classification"], content, CSV if name == "csv" else JSON)
        assert USER_TEXT not in json.dumps(said)


def test_packed_bodies_are_read_and_bombs_are_not(addresses: dict[str, str]) -> None:
    address = addresses["text-classification"]
    body = json.dumps({"inputs": TEXTS}).encode()
    plain = ask(address, body)[1]
    for encoding in ("gzip", "x-gzip", "GZIP", "identity"):
        sent = body if encoding == "identity" else gzip.compress(body)
        assert ask(address, sent, **{"Content-Encoding": encoding})[:2] == (200, plain)
    bomb = gzip.compress(b" " * 50_000_000)
    for sent, encoding, status, words in (
        (gzip.compress(b" " * 5001), "gzip", 413, "The unpacked body has more than 5,000 bytes"),
        (gzip.compress(gzip.compress(body)), "gzip", 400, "not UTF-8"),
        (bomb, "gzip", 413, "more than 5,000 bytes"),
        (gzip.compress(body)[:-9], "gzip", 400, "not what its Content-Encoding says"),
        (gzip.compress(body) * 2, "gzip", 400, "one whole piece of gzip"),
        (body, "gzip", 400, "not what its Content-Encoding says"),
        (b"", "gzip", 400, "not what its Content-Encoding says"),
        (body, "br", 415, "packed in a way that is not read here"),
        (gzip.compress(body), "gzip, gzip", 415, "packed in a way"),
    ):
        answered, content, _ = ask(address, sent, **{"Content-Encoding": encoding})
        assert (answered, words in content["error"]) == (status, True), content


def test_long_answers_are_packed_for_who_reads_that(addresses: dict[str, str]) -> None:
    address = addresses["text-classification"]
    body = json.dumps({"inputs": ["soup"] * 20}).encode()

    def asked(**headers: str) -> tuple[str | None, bytes]:
        request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": JSON} | headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers["Content-Encoding"], answer.read()

    encoding, content = asked()
    assert encoding is None
    assert len(content) > 2048
    for wanted, given in (("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("identity", None), ("gzip;q=0", None)):
        encoding, packed_content = asked(**{"Accept-Encoding": wanted})
        assert encoding == given, wanted
        assert (gzip.decompress(packed_content) if encoding else packed_content) == content
    body = json.dumps({"inputs": ["soup"]}).encode()
    assert asked(**{"Accept-Encoding": "gzip"})[0] is None
