"""Predictions for annotation tools: in the tool's own units, the least certain first, and read back as they were."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from export_files import read, written

from benchmarks import annotated_documents as made
from perennial.ingest import preannotations
from perennial.ingest.preannotations import Answered, Losses
from perennial.rows.text_views import GRAPHEMES, UTF16


def answered(doc: made.Document, number: int, **row: Any) -> Answered:
    spans = [{"start": start, "end": end, "label": label, "score": 0.5} for start, end, label in doc.spans]
    return Answered(number, {"text": doc.text} | row, {"text": doc.text}, {"spans": spans}, 0.5)


@pytest.mark.parametrize("unit", [UTF16, GRAPHEMES])
def test_doccano_gets_its_own_units_and_gives_them_back(unit: str, tmp_path: Path) -> None:
    docs = [doc for doc in made.documents(150) if doc.spans]
    docs = [made.whole_graphemes(doc) for doc in docs] if unit == GRAPHEMES else docs
    losses = Losses()
    rows = list(preannotations.doccano_rows([answered(doc, n) for n, doc in enumerate(docs, 1)], unit, losses))
    assert [row["label"] for row in rows] == [
        [[*made.in_units(doc.text, span, unit), span[2]] for span in doc.spans] for doc in docs
    ]
    exported = "".join(json.dumps({"id": n, **row, "Comments": []}) + "\n" for n, row in enumerate(rows))
    back = read([written(tmp_path, "all.jsonl", exported)], offsets=unit)
    spans = [[{"start": s, "end": e, "label": label} for s, e, label in doc.spans] for doc in docs if doc.spans]
    assert [row["label"] for row in back.rows] == spans
    assert losses.rows == []


def test_a_span_inside_a_grapheme_is_named_by_its_row() -> None:
    doc = made.Document("Cafe\u0301 x", ((0, 4, "X"), (6, 7, "Y")))
    losses = Losses()
    rows = list(preannotations.doccano_rows([answered(doc, 7)], GRAPHEMES, losses))
    assert rows[0]["label"] == [[5, 6, "Y"]]
    assert [number for number, _ in losses.rows] == [7]


def test_doccanos_rows_all_have_all_columns_and_what_it_does_not_keep_is_named() -> None:
    doc = made.Document("text")
    rows = [answered(doc, 1, ref=1), answered(doc, 2, tags=["a"]), answered(made.Document(" "), 3)]
    losses = Losses()
    lines = list(preannotations.doccano_rows(rows, UTF16, losses))
    assert [set(line) for line in lines] == [{"text", "label", "ref", "tags"}] * 2
    assert [number for number, _ in losses.rows] == [2, 3]


def test_label_studio_gets_characters_that_are_read_back(tmp_path: Path) -> None:
    docs = made.documents(100)
    tasks = list(preannotations.label_studio_tasks([answered(d, n) for n, d in enumerate(docs, 1)], "m 1", Losses()))
    for task in tasks:
        # As when a person accepts the prediction.
        task["annotations"] = [{"completed_by": 1, "result": task["predictions"][0]["result"]}]
    back = read([written(tmp_path, "ls.json", json.dumps(tasks))])
    spans = [[{"start": s, "end": e, "label": label} for s, e, label in doc.spans] for doc in docs]
    assert [row["label"] for row in back.rows] == spans
    assert back.changed == back.left_out == 0


@pytest.mark.parametrize(
    ("answer", "control"),
    [({"spans": []}, "Labels"), ({"label": "a", "score": 0.5}, "Choices"), ({"value": 1.0}, "Number")],
)
def test_the_labelling_configuration_names_what_the_tasks_name(answer: dict[str, Any], control: str) -> None:
    config = preannotations.labelling_config(answer, ["text"], ['a "quoted" & <odd> one', "b"])
    tree = ElementTree.fromstring(config)  # noqa: S314 - our own
    found = tree.find(control)
    assert found is not None
    assert (found.get("name"), found.get("toName"), tree.find("Text").get("value")) == ("label", "text", "$text")  # type: ignore[union-attr]
    if control != "Number":
        assert [item.get("value") for item in found] == ['a "quoted" & <odd> one', "b"]


def test_the_least_certain_come_first() -> None:
    def row(number: int, answer: dict[str, Any]) -> Answered:
        return Answered(number, {}, {"text": "t"}, answer, preannotations.certainty(answer))

    rows = [
        row(1, {"label": "a", "score": 0.9}),
        row(2, {"labels": ["a"], "scores": {"a": 0.6, "b": 0.01}}),
        row(3, {"spans": [], "words": np.zeros((2, 2)), "scores": np.array([[0.9, 0.1], [0.4, 0.35]])}),
        row(4, {"label": "a", "score": 0.5}),
    ]
    assert [one.number for one in preannotations.least_certain_first(rows)] == [2, 3, 4, 1]
    assert preannotations.certainty({"value": 3.0}) is None
