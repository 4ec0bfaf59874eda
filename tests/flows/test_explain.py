"""`perennial explain`: answers explained in the terminal; each run says how faithful explanations are."""

from typing import Any

import pytest
import tiny_pipeline
from place import Place

from flows.shown_explanations import coloured

ROWS = tiny_pipeline.rows(2, 9000)


@pytest.fixture
def champion(first_run: tuple[Place, dict[str, Any]]) -> Place:
    return first_run[0]


def test_each_run_says_how_faithful_explanations_are(first_run: tuple[Place, dict[str, Any]]) -> None:
    measured = first_run[1]["faithfulness"]
    assert (measured["method"], len(measured["curve"])) == ("shapley", 5)
    assert measured["value"] > measured["interval"]["low"] > 0


@pytest.mark.parametrize("method", ["shapley", "occlusion"])
def test_texts_are_explained_as_the_champion_answers_them(champion: Place, method: str) -> None:
    texts = [row["text"] for row in ROWS]
    ended = champion.command("explain", "tiny", *texts, "--method", method, "--json")
    assert ended.code == 0, ended.text
    answered = champion.command("predict", "tiny", "--json", *texts).lines
    for line, answer, text in zip(ended.lines, answered, texts, strict=True):
        assert (line["target"], line["method"]) == (answer["label"], method)
        assert line["value"] == pytest.approx(answer["score"], abs=0.02)
        assert [text[token["start"] : token["end"]] for token in line["tokens"]] == [
            one["text"] for one in line["tokens"]
        ]


@pytest.mark.parametrize(("option", "value"), [("--method", "lime"), ("--label", "nope")])
def test_what_can_not_be_explained_is_a_sentence(champion: Place, option: str, value: str) -> None:
    ended = champion.command("explain", "tiny", "a text", option, value)
    assert ended.code in (1, 2)
    assert "There is no method 'lime'" in ended.text or "no such label to explain" in ended.text
    assert "Traceback" not in ended.text


def test_words_are_coloured_by_how_far_they_move_the_answer() -> None:
    tokens = [
        {"start": 0, "end": 4, "weight": 0.9},
        {"start": 5, "end": 8, "weight": -0.3},
        {"start": 9, "end": 12, "weight": 0.0},
    ]
    text = coloured("good bad the", tokens)
    assert text.plain == "good bad the"
    assert [(text.plain[span.start : span.end], span.style) for span in text.spans] == [
        ("good", "bold green"),
        ("bad", "red"),
    ]
