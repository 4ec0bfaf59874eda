"""Documents through each tool's export and back: no span moves, and what a format can't hold is counted."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from export_files import read, written

from benchmarks import annotated_documents as made
from benchmarks.annotated_documents import Document, documents
from perennial.rows import text_views
from perennial.rows.text_views import CHARACTERS, GRAPHEMES, UTF8, UTF16

COUNT = 150
"""`python -m benchmarks annotation` sends 2,000 through each."""


def spans_of(doc: Document) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": label} for start, end, label in doc.spans]


def texts(docs: Sequence[Document]) -> list[str]:
    return [doc.text for doc in docs]


@pytest.mark.parametrize(
    ("name", "write", "column"),
    [
        ("ls.json", made.label_studio_json, "label"),
        ("ls_min.json", made.label_studio_min, "label"),
        ("ls.csv", made.label_studio_csv, "label"),
        ("tsv_that_is_called.csv", lambda docs: made.label_studio_csv(docs, "\t"), "label"),
        ("prodigy.jsonl", made.prodigy_jsonl, "spans"),
        ("argilla.json", made.argilla_json, "ents"),
        ("spacy.jsonl", made.spacy_jsonl, "ents"),
        ("docs.spacy", made.docbin, "ents"),
    ],
)
def test_spans_come_back_as_they_were(
    name: str, write: Callable[[Sequence[Document]], str | bytes], column: str, tmp_path: Path
) -> None:
    docs = documents(COUNT)
    back = read([written(tmp_path, name, write(docs))])
    assert [row["text"] for row in back.rows] == texts(docs)
    assert [row[column] for row in back.rows] == [spans_of(doc) for doc in docs]
    assert back.left_out == 0
    assert back.changed == 0


@pytest.mark.parametrize(("write", "column"), [(made.doccano_jsonl, "label"), (made.doccano_relations, "entities")])
def test_doccanos_utf16_comes_back_in_characters_and_empty_texts_are_counted(
    write: Callable[[Sequence[Document]], str], column: str, tmp_path: Path
) -> None:
    docs = documents(COUNT)
    back = read([written(tmp_path, "all.jsonl", write(docs))])
    marked = [doc for doc in docs if doc.spans]
    assert [(row["text"], row[column]) for row in back.rows] == [(doc.text, spans_of(doc)) for doc in marked]
    assert back.left_out == COUNT - len(marked)
    assert any("UTF-16" in sentence for sentence in back.outcome.tally.sentences())


@pytest.mark.parametrize("unit", [CHARACTERS, UTF16, GRAPHEMES])
def test_doccanos_units_are_told_by_where_spans_begin_and_end(unit: str, tmp_path: Path) -> None:
    docs = documents(COUNT)
    docs = [made.whole_graphemes(doc) for doc in docs] if unit == GRAPHEMES else docs
    back = read([written(tmp_path, "all.jsonl", made.doccano_jsonl(docs, unit))])
    assert [row["label"] for row in back.rows] == [spans_of(doc) for doc in docs if doc.spans]


@pytest.mark.parametrize("unit", [CHARACTERS, UTF16, UTF8, GRAPHEMES])
def test_units_are_told_by_the_spans_own_texts(unit: str, tmp_path: Path) -> None:
    docs = documents(COUNT)
    docs = [made.whole_graphemes(doc) for doc in docs] if unit == GRAPHEMES else docs
    back = read([written(tmp_path, "ls.json", made.label_studio_json(docs, unit))])
    assert [row["label"] for row in back.rows] == [spans_of(doc) for doc in docs]
    assert back.left_out == 0
    said = " ".join(back.outcome.tally.sentences())
    assert (text_views.WORDS[unit] in said) == (unit != CHARACTERS)


@pytest.mark.parametrize(
    ("name", "write", "column"),
    [
        ("ls.json", made.label_studio_json, "topics"),
        ("ls_min.json", made.label_studio_min, "topics"),
        ("ls.csv", made.label_studio_csv, "topics"),
        ("argilla.json", made.argilla_json, "topics"),
        ("spacy.jsonl", made.spacy_jsonl, "cats"),
        ("docs.spacy", made.docbin, "cats"),
    ],
)
def test_labels_come_back_as_lists(
    name: str, write: Callable[[Sequence[Document]], str | bytes], column: str, tmp_path: Path
) -> None:
    docs = documents(COUNT)
    back = read([written(tmp_path, name, write(docs))])
    assert [row[column] for row in back.rows] == [list(doc.labels) for doc in docs]


@pytest.mark.parametrize(
    ("name", "write"),
    [("ls.json", made.label_studio_json), ("min.json", made.label_studio_min), ("argilla.json", made.argilla_json)],
)
def test_numbers_come_back(name: str, write: Callable[[Sequence[Document]], str], tmp_path: Path) -> None:
    docs = documents(COUNT)
    back = read([written(tmp_path, name, write(docs))])
    assert [row["stars"] for row in back.rows] == [doc.number for doc in docs]


def test_doccanos_csv_gives_labels_back_also_those_that_hold_a_hash_and_counts_the_cells(tmp_path: Path) -> None:
    docs = documents(COUNT)
    back = read([written(tmp_path, "all.csv", made.doccano_csv(docs))])
    assert [row["label"] for row in back.rows] == [list(doc.labels) for doc in docs]
    assert back.outcome.tally.changed.total() == sum("#" in "#".join(doc.labels) for doc in docs)


@pytest.mark.parametrize(
    ("name", "write"), [("x.conll", made.conll2003), ("x.txt", made.iob), ("x.conllu", made.conllu)]
)
def test_tokens_and_tags_come_back(name: str, write: Callable[[Sequence[Document]], str], tmp_path: Path) -> None:
    docs = documents(COUNT)
    back = read([written(tmp_path, name, write(docs))])
    assert [(row["tokens"], row["tags"]) for row in back.rows] == [(list(doc.tokens), made.tags(doc)) for doc in docs]


def test_fasttexts_labels_come_back(tmp_path: Path) -> None:
    docs = documents(COUNT)
    back = read([written(tmp_path, "train.txt", made.fasttext(docs))])
    assert [row["text"] for row in back.rows] == [" ".join(doc.text.split()) for doc in docs]
    assert [row["label"] for row in back.rows] == [[name.replace(" ", "-") for name in doc.labels] for doc in docs]


def test_brats_marks_come_back(tmp_path: Path) -> None:
    docs = documents(20)
    back = read(made.brat([doc for doc in docs if doc.spans], tmp_path))
    assert [row["spans"] for row in back.rows] == [spans_of(doc) for doc in docs if doc.spans]
    assert back.left_out == back.changed == 0
