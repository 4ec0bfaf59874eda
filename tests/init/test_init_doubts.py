"""Data of each kind that is faulty, ambiguous or can't be read: said, and what to do."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from init_files import Row, rows, sentence, write

from perennial.core.errors import PerennialError, SourceError, SpecError
from perennial.init import plan
from perennial.init.guess import Guess
from perennial.init.template import render_pipeline


def tagged(tags: Any = None, count: int = 80, **columns: Any) -> list[Row]:
    return [
        {"tokens": ["Ann", *sentence(n).split()], "tags": tags or ["B-PER", *["O"] * 10], **columns}
        for n in range(count)
    ]


def with_cells(count: int = 80, **columns: Any) -> list[Row]:
    return [
        {"text": sentence(n), **{name: value(n) if callable(value) else value for name, value in columns.items()}}
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        (
            tagged([1] + [0] * 10),
            {},
            r"'tags' holds numbers, one for each of 'tokens'; expected are tags such as B-ORG",
        ),
        (tagged(["NN"] * 11), {}, r"'tags' holds tags of no known scheme.*BIO"),
        (with_cells(entities=[[0, "PER"]]), {}, r"'entities' holds lists of int, str\. Spans are lists of obj"),
        (
            with_cells(ents=[{"begin": 0, "end": 3}]),
            {},
            r"'ents' holds objects with begin, end\. Spans are.*start, end",
        ),
        (with_cells(labels=[0, 1, 0]), {}, r"'labels' holds lists of 0 and 1; expected are lists of the labels' names"),
        (with_cells(kind=[0.5]), {"kind": "token-classification"}, "'kind' holds values of type float"),
        (
            [{"tokens": "['a', 'b']", "tags": "['O', 'B-X']"}] * 60,
            {},
            r"'tokens' holds lists that are no JSON.*Write the column so",
        ),
        (with_cells(topics=lambda n: f"['a', '{n % 3}']"), {}, "'topics' holds lists that are no JSON"),
        (rows(), {"kind": "token-classification"}, r"No column holds a tag for each token.*--tokens and --tags"),
        (rows(), {"kind": "text-pair"}, r"pair needs two columns.*--text COLUMN --text-pair COLUMN"),
        (rows(), {"kind": "regression"}, r"No column holds numbers to be learned.*--label COLUMN"),
        (with_cells(), {"kind": "multi-label"}, r"No column holds labels.*a\|b; name their column: --label COLUMN"),
        (with_cells(), {}, r"No column looks like a label.*--kind regression"),
        (rows(), {"kind": "regresion"}, r"no kind 'regresion'. Did you mean 'regression'\?"),
        (rows(), {"kind": "regression", "tags": "label"}, r"--tags does not go with --kind regression"),
        (rows(), {"text_pair": "text", "tags": "label"}, r"--text-pair and --tags do not go with any kind"),
        (tagged(), {"tags": "tags", "spans": "tokens"}, "either tokens with tags or a text with spans"),
        (tagged(), {"tokens": "tags", "tags": "tags"}, "both the tokens and the tags"),
        (tagged(), {"tags": "tag"}, r"no column 'tag' for the tags. Did you mean 'tags'"),
        (tagged(), {"spans": "span"}, r"no column 'span' for the spans"),
        (rows(), {"text_pair": "txt"}, r"no column 'txt' for the text_pair. Did you mean 'text'"),
        (rows(other=sentence), {"text": "other", "text_pair": "other"}, "both the text and the text_pair"),
        (
            [{"sentence1": sentence(n), "sentence2": sentence(n + 9), "score": n / 7} for n in range(60)],
            {},
            r"'sentence1' and 'sentence2' are two texts, and 'score' is a number.*--kind regression --text 'sentence1'",
        ),
    ],
)
def test_what_can_not_be_recognised_is_said(
    tmp_path: Path, data: list[Row], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(SpecError, match=says):
        plan("news", write(tmp_path / "d.jsonl", data), **options)


@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        (with_cells(score=1.5), {"label": "score", "kind": "regression"}, "holds one number only, 1.5"),
        (with_cells(labels=lambda n: []), {"label": "labels", "kind": "multi-label"}, "'labels' .*names no label"),
        (tagged(["O"] * 11), {"tags": "tags"}, "'tags' of .* names no label in any row"),
        (tagged(["O"] * 11), {"tags": "tokens", "tokens": "tags"}, r"0 rows with .*Faults: 80 rows: a tag is of no"),
        (with_cells(score=lambda n: "much"), {"kind": "regression", "label": "score"}, "0 rows with a text and a num"),
    ],
)
def test_what_can_not_be_learned_is_said(tmp_path: Path, data: list[Row], options: dict[str, Any], says: str) -> None:
    with pytest.raises(SourceError, match=says):
        plan("news", write(tmp_path / "d.jsonl", data), **options)


def warned(tmp_path: Path, data: list[Row], **options: Any) -> str:
    return "\n".join(plan("news", write(tmp_path / "d.jsonl", data), **options).warnings)


def test_faulty_rows_of_tokens_are_told_by_why(tmp_path: Path) -> None:
    data = tagged(count=200)
    data += [{"tokens": ["a", "b"], "tags": ["O"]}] * 2 + [{"tokens": ["a"], "tags": ["PER"]}]
    warnings = warned(tmp_path, data)
    assert "In 2 rows, tokens and tags differ in number; a run sets them aside" in warnings
    assert "In 1 rows, a tag is of no known scheme" in warnings
    assert "contradict" not in warnings


def test_texts_that_are_missing_are_named_where_too_few_are_left(tmp_path: Path) -> None:
    data = [{"text": sentence(n) if n < 20 else None, "label": "ab"[n % 2]} for n in range(120)]
    with pytest.raises(SourceError, match=r"has 20 rows with a text and a label.*Faults: 100 rows: no text"):
        plan("doubtful", write(tmp_path / "d.csv", data))


def test_spans_past_the_text_are_told(tmp_path: Path) -> None:
    good = [{"text": sentence(n), "spans": [{"start": 0, "end": 3, "label": "A"}]} for n in range(100)]
    bad = [{"text": sentence(n), "spans": [{"start": 0, "end": 900, "label": "A"}]} for n in range(100, 110)]
    warnings = warned(tmp_path, good + bad)
    assert "In 10 rows, a span is empty or passes the end of the text" in warnings
    assert "About 9.1% of the rows would be set aside" in warnings


def test_contradictions_of_lists_are_told_and_of_numbers_are_not(tmp_path: Path) -> None:
    lists = with_cells(200, labels=lambda n: [["a"], ["b", "c"]][n % 2])
    warnings = warned(tmp_path, lists + [{**row, "labels": ["a", "b"]} for row in lists[:40]])
    assert "33.3% of the rows have a text that another row labels otherwise" in warnings
    numbers = with_cells(200, score=lambda n: n / 7)
    assert not warned(tmp_path, numbers + [{**row, "score": 0.5} for row in numbers[:40]])


def test_what_rows_without_labels_and_contradictions_mean_is_written(tmp_path: Path) -> None:
    some = with_cells(topics=lambda n: [["a"], ["b", "c"], ["a", "c"]][n % 3], count=150)
    sound = plan("news", write(tmp_path / "sound.jsonl", some))
    assert not {"missing_labels", "contradictions"} & set(written(sound, tmp_path))
    some[0]["topics"] = None
    del some[1]["topics"]
    some[2]["text"] = some[3]["text"]
    guess = plan("news", write(tmp_path / "data.jsonl", some))
    data = written(guess, tmp_path)
    assert (guess.missing_labels, data["missing_labels"], data["contradictions"]) == (2, "set_aside", "majority")
    assert "2 of 150 rows have no label" in render_pipeline(guess, tmp_path / "pipelines" / "news")


def written(guess: Guess, folder: Path) -> Row:
    data: Row = yaml.safe_load(render_pipeline(guess, folder / "pipelines" / "news"))["data"]
    return data


def test_contradicted_rows_count_for_no_label(tmp_path: Path) -> None:
    data = with_cells(100, labels=lambda n: [["a"], ["b", "c"]][n % 2])
    twice = [{**row, "labels": ["odd"]} for row in data[:30]]
    guess = plan("news", write(tmp_path / "d.jsonl", data + twice))
    assert guess.labels == {"a": 35, "b": 35, "c": 35, "odd": 0}


def test_rows_without_labels_and_without_numbers_are_told(tmp_path: Path) -> None:
    warnings = warned(tmp_path, with_cells(200, labels=lambda n: [["a"], ["b"], []][n % 3]))
    assert "66 rows have no label: the model learns that none fits them" in warnings
    numbers = with_cells(200, score=lambda n: n / 7 if n % 50 else None)
    assert "0 rows have no text and 4 no number" in warned(tmp_path, numbers)


def test_a_rare_entity_lowers_the_minimum_and_is_named(tmp_path: Path) -> None:
    data = [*tagged(count=200), {"tokens": ["Mars", "is", "red"], "tags": ["B-PLANET", "O", "O"]}]
    guess = plan("news", write(tmp_path / "d.jsonl", data))
    assert (guess.kind, guess.min_rows_per_label) == ("token-classification", 0)
    assert sum("'PLANET'" in warning for warning in guess.warnings) == 2


def test_one_text_that_is_json_does_not_make_a_column_of_lists(tmp_path: Path) -> None:
    data = [*rows(), {"text": "[1]", "label": "good"}, {"text": '["a"]', "label": "bad"}]
    assert plan("news", write(tmp_path / "d.csv", data)).kind == "text-classification"


def test_messages_hold_no_content_of_lists(tmp_path: Path) -> None:
    data = with_cells(entities=[[0, "secret"]])
    with pytest.raises(PerennialError) as caught:
        plan("news", write(tmp_path / "d.jsonl", data))
    assert "secret" not in str(caught.value)
