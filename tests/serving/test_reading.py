"""Each kind of task reads a request as `perennial predict` reads a file."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hosting import KINDS, tiny_predictor
from hypothesis import given
from hypothesis import strategies as st
from registry_helpers import WORDS

from perennial.inference import decoders
from perennial.inference.predictor import Predictor
from perennial.ingest import unlabelled
from perennial.serving.problems import RequestProblem
from perennial.serving.requests import reading
from perennial.settings.serving import ServingSpec

SETTINGS = ServingSpec(max_rows=20, max_characters=200)


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    """A predictor of each kind: the tiny package, called one of that kind."""
    return {kind: tiny_predictor(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


SENTENCES = st.lists(st.sampled_from([*WORDS[2:], "unknown", "naïve", "🚀", " "]), max_size=6).map(" ".join)
CELLS = {"text": SENTENCES, "text_pair": SENTENCES, "tokens": st.lists(SENTENCES, max_size=4)}


@given(data=st.data(), kind=st.sampled_from(KINDS), renamed=st.booleans())
def test_rows_are_answered_as_those_of_a_file(
    data: st.DataObject, kind: str, renamed: bool, predictors: dict[str, Predictor], tmp_path_factory: Any
) -> None:
    predictor = predictors[kind]
    roles = data.draw(st.sampled_from(predictor.decoder.columns))
    names = {role: f"my {role}" for role in roles} if renamed else {}
    row = st.fixed_dictionaries({names.get(role, role): CELLS[role] for role in roles} | {"id": st.integers()})
    rows = data.draw(st.lists(row, min_size=1, max_size=5))
    file = tmp_path_factory.getbasetemp() / "rows.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    [chunk] = unlabelled.rows_of(file, read=predictor.decoder.columns, preferred=names)
    inputs = reading.read_request(json.dumps({"rows": rows}).encode(), predictor.decoder, names, SETTINGS)
    assert predictor.predict(inputs) == predictor.predict_columns(chunk.columns)
    assert len(inputs) == len(rows)


def inputs_of(kind: str, content: Mapping[str, Any], settings: ServingSpec = SETTINGS) -> list[Any]:
    return reading.read_request(json.dumps(content).encode(), decoders.decoder_named(kind), {}, settings)


def test_texts_are_what_the_kind_reads() -> None:
    assert inputs_of("text-classification", {"texts": ["a", " "]}) == ["a", ""]
    assert inputs_of("token-classification", {"texts": ["a b"]}) == ["a b"]
    assert inputs_of("text-pair", {"texts": [["a", "b"], ["c", ""]]}) == [("a", "b"), ("c", "")]


BAD = [
    ("text-pair", {"texts": ["a"]}, "must be a list of 2 texts (text, text_pair), which this model reads together"),
    ("text-pair", {"texts": [["a"]]}, "it is a list of 1 (a text)"),
    ("text-pair", {"texts": [["a", None]]}, "texts[0][1] must be a text; it is null"),
    ("text-pair", {"rows": [{"text": "a"}]}, "rows[0] lacks what this model reads: 'text', 'text_pair'"),
    ("token-classification", {"rows": [{"tokens": "a b"}]}, "rows[0].tokens must be a list of texts; it is a text"),
    ("token-classification", {"rows": [{"tokens": ["a", 1]}]}, "it is a list of 2 (a number, a text)"),
    ("token-classification", {"rows": [{"tokens": ["\ud800"]}]}, "half of a surrogate pair"),
    ("token-classification", {"rows": [{"tokens": []}, {"text": "a"}]}, "rows[1].tokens is missing"),
    ("token-classification", {"rows": [{"id": 1}]}, "lacks what this model reads: 'tokens' or 'text'"),
    ("token-classification", {"rows": [{"tokens": ["a"] * 101}]}, "Row 0 has 202 characters; 200 are allowed"),
    ("text-pair", {"texts": [["a" * 101, "b" * 100]]}, "Row 0 has 201 characters; 200 are allowed"),
]


@pytest.mark.parametrize(("kind", "content", "words"), BAD, ids=[words for _, _, words in BAD])
def test_what_a_kind_does_not_read_is_refused(kind: str, content: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestProblem) as caught:
        inputs_of(kind, content)
    assert words in caught.value.problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "x"]), inner, max_size=3),
    max_leaves=6,
)


@given(kind=st.sampled_from(KINDS), form=st.sampled_from(["texts", "rows", "x"]), content=JSON)
def test_any_json_is_read_or_refused(kind: str, form: str, content: Any) -> None:
    try:
        inputs: list[Any] | None = inputs_of(kind, {form: content})
    except RequestProblem:
        inputs = None
    assert inputs is None or len(inputs) == len(content)
