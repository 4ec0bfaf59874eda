"""Explanations name the words that really move the answer, of every kind of task, in any script, within their rows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from word_packages import LENGTH, write_word_package

from perennial.core.errors import PackageError
from perennial.inference.decoders import Input
from perennial.inference.explanations.deletion import deletion_curves
from perennial.inference.explanations.explaining import ROWS, explain
from perennial.inference.explanations.games import METHODS
from perennial.inference.predictor import Predictor
from perennial.inference.words import whole_words

OPINION = {"good": (0.0, 3.0), "bad": (0.0, -3.0), "好": (0.0, 3.0)}
NAMES = {"Ada": (0.0, 6.0, 0.0), "visits": (4.0, 0.0, 0.0), "plain": (4.0, 0.0, 0.0), "good": (4.0, 0.0, 0.0)}
METHOD_NAMES = sorted(METHODS)


def predictor(folder: Path, kind: str, weights: Any = OPINION, **more: Any) -> Predictor:
    return Predictor(write_word_package(folder / kind, kind, weights, **more), threads=1)


def moved(tokens: list[dict[str, Any]]) -> dict[str, float]:
    return {token["text"]: token["weight"] for token in tokens}


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_the_telling_word_of_a_text_has_the_weight(tmp_path: Path, method: str) -> None:
    [found] = explain(predictor(tmp_path, "text-classification"), ["plain good, plain."], method=method)
    assert (found["target"], found["method"], found["prediction"]["label"]) == ("positive", method, "positive")
    assert found["value"] == found["prediction"]["scores"]["positive"]
    assert found["base"] == 0.5
    weights = moved(found["tokens"])
    assert weights.pop("good") == pytest.approx(found["value"] - 0.5, abs=1e-6)
    assert max(map(abs, weights.values())) < 1e-6
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_label_can_be_named(tmp_path: Path, method: str) -> None:
    found = explain(predictor(tmp_path, "text-classification"), ["plain good"], method=method, label="negative")
    assert moved(found[0]["tokens"])["good"] < -0.4
    with pytest.raises(PackageError, match="no such label to explain; it has 'negative', 'positive'"):
        explain(predictor(tmp_path / "b", "text-classification"), ["good"], label="nope")


def test_of_several_labels_the_likeliest_is_explained(tmp_path: Path) -> None:
    [found] = explain(predictor(tmp_path, "multi-label"), ["bad plain good good"])
    assert found["target"] == "positive"
    assert moved(found["tokens"])["bad"] < -0.1


def test_of_a_pair_words_are_told_apart_by_column(tmp_path: Path) -> None:
    [found] = explain(predictor(tmp_path, "text-pair"), [("plain bad", "plain good good")])
    weights = {(token["column"], token["text"], token["start"]): token["weight"] for token in found["tokens"]}
    assert weights["text", "bad", 6] < -0.1
    assert weights["text_pair", "good", 6] > 0.1
    assert weights["text", "plain", 0] == pytest.approx(0, abs=1e-6)


def test_of_a_number_weights_are_in_its_unit(tmp_path: Path) -> None:
    prices = predictor(tmp_path, "regression", {"good": (2.0,)}, labels=(), decoding={"mean": 100.0, "scale": 10.0})
    [found] = explain(prices, ["plain good"])
    assert (found["target"], found["base"], found["value"]) == (None, 100.0, 120.0)
    assert moved(found["tokens"]) == pytest.approx({"plain": 0.0, "good": 20.0})


@pytest.mark.parametrize("one", ["Ada visits good, Ada", ["Ada", "visits", "good", "Ada"]])
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_each_span_is_explained_by_itself(tmp_path: Path, method: str, one: Input) -> None:
    [found] = explain(predictor(tmp_path, "token-classification", NAMES, labels=("PER",)), [one], method=method)
    assert (found["target"], found["tokens"]) == (None, [])
    assert [(span["text"], span["target"], span["base"]) for span in found["spans"]] == [("Ada", "PER", 0.0)] * 2
    for span, place in zip(found["spans"], (0, -1), strict=True):
        weights = [token["weight"] for token in span["tokens"]]
        # This model reads each word by itself, so that no other moves a span.
        assert weights[place] == pytest.approx(span["value"], abs=1e-6)
        assert sum(map(abs, weights)) == pytest.approx(span["value"], abs=1e-6)


def test_a_text_without_spans_has_none_to_explain(tmp_path: Path) -> None:
    [found] = explain(predictor(tmp_path, "token-classification", NAMES, labels=("PER",)), ["visits"])
    assert found["spans"] == []


@pytest.mark.parametrize("text", ["", " ", "\0", "x", "​\u0300", "好" * 50, "good " * 400, "don't 3.5% e-mail 👩‍👩‍👧"])
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_any_text_is_explained_within_its_rows(tmp_path: Path, method: str, text: str) -> None:
    [found] = explain(predictor(tmp_path, "text-classification"), [text], method=method)
    assert found["rows"] <= ROWS
    for token in found["tokens"]:
        assert text[token["start"] : token["end"]] == token["text"]


def test_what_is_not_read_is_not_explained(tmp_path: Path) -> None:
    text = " ".join(["plain"] * (LENGTH - 1) + ["good"] + ["bad"] * 50)
    [found] = explain(predictor(tmp_path, "text-classification"), [text], rows=60)
    assert found["tokens"][-1]["end"] == text.index("good") + len("good")
    assert found["prediction"]["label"] == "positive"
    pair = (text, "plain bad")
    [found] = explain(predictor(tmp_path, "text-pair"), [pair], rows=60)
    read = [token for token in found["tokens"] if token["column"] == "text"]
    assert read[-1]["end"] == len(" ".join(["plain"] * (LENGTH - 2)))


def test_whole_words_are_what_people_call_words() -> None:
    text = "Don't pay 3.5% by e-mail; O’Neil's (U.S.) - 好的."
    found = [text[start:end] for start, end in whole_words(text).tolist()]
    assert found == [
        "Don't",
        "pay",
        "3.5",
        "%",
        "by",
        "e-mail",
        ";",
        "O’Neil's",
        "(",
        "U.S",
        ".",
        ")",
        "-",
        "好",
        "的",
        ".",
    ]


def test_leaving_out_what_explanations_name_moves_the_answer_more_than_chance(tmp_path: Path) -> None:
    texts = [f"{'plain ' * (number % 5 + 3)}good {'plain ' * 4}" for number in range(8)]
    curves = deletion_curves(predictor(tmp_path, "text-classification"), ["", *texts, "good"])
    # Nothing can be said of fewer than two words.
    assert len(curves) == len(texts)
    assert all(curve.explained[1] > 0.4 for curve in curves)
    assert all(curve.random.mean() < curve.explained.mean() for curve in curves)


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no method 'lime'; there are shapley, occlusion"):
        explain(predictor(tmp_path, "text-classification"), ["good"], method="lime")


def test_explaining_takes_what_serving_takes(tmp_path: Path) -> None:
    folder = write_word_package(tmp_path / "package", "text-classification", OPINION)
    program = f"""
import sys
from pathlib import Path
from perennial.inference.explanations.explaining import explain
from perennial.inference.predictor import Predictor
explain(Predictor(Path({str(folder)!r})), ["good"])
print([name for name in ("torch", "transformers", "sklearn", "pandas", "scipy", "mlflow") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
