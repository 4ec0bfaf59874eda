"""`perennial init` on what annotation tools export: the kind, the columns and a pipeline.yaml that reads it."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common import annotated_documents
from benchmarks.common.annotated_documents import Document, documents
from perennial.core.errors import SourceError
from perennial.core.home import Home
from perennial.ingest.snapshots import ingest
from perennial.init import plan, write_pipeline
from perennial.pipeline_file import loader
from perennial.settings.data import FileSource

TONES = ("good", "bad")


def tones(count: int = 120) -> list[dict[str, Any]]:
    chance = random.Random(3)  # noqa: S311
    return [{"text": f"This is sentence number {n}.", "tone": chance.choice(TONES)} for n in range(count)]


def label_studio(rows: Sequence[dict[str, Any]], people: int = 1) -> str:
    def answer(row: dict[str, Any], who: int) -> dict[str, Any]:
        value = {"choices": [row["tone"]]}
        result = [{"from_name": "tone", "to_name": "text", "type": "choices", "value": value}]
        return {"id": who, "completed_by": who, "result": result, "was_cancelled": False}

    tasks = [
        {
            "id": number,
            "data": {"text": row["text"], "when": "2026-01-01", "ref": number % 7, "team": "x y z"[number % 3 * 2]},
        }
        | {"annotations": [answer(row, who) for who in range(people)]}
        for number, row in enumerate(rows, 1)
    ]
    return json.dumps(tasks)


def doccano(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        {"id": n, "text": row["text"], "label": [row["tone"]] if "tone" in row else [], "Comments": []}
        for n, row in enumerate(rows)
    ]
    return "\n".join(map(json.dumps, lines))


def looked_at(folder: Path, name: str, content: str | bytes, **given: Any) -> tuple[Any, list[dict[str, Any]]]:
    """The guess, and the rows that the pipeline written for it reads."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return pipeline_of(folder, path, **given)


def pipeline_of(folder: Path, data: Path, **given: Any) -> tuple[Any, list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    guess = plan("marks", data, **given)
    spec = loader.read_pipeline(write_pipeline(guess, folder / "pipelines" / "marks"))
    assert isinstance(spec.data.source, FileSource)
    home = Home(folder / "home")
    snapshot = ingest(spec, home)
    return guess, [row for part in snapshot.parts for row in pq.read_table(home.store.root / part.path).to_pylist()]


def test_label_studios_choices(tmp_path: Path) -> None:
    rows = tones()
    guess, read = looked_at(tmp_path, "export.json", label_studio(rows, people=2))
    assert (guess.kind, guess.format, guess.label.column, guess.id.column) == (
        *("text-classification", "label-studio", "tone", "id"),
    )
    assert guess.time.column is None
    assert [row["label"] for row in read] == [row["tone"] for row in rows]


@pytest.mark.parametrize(
    ("name", "write", "tool"),
    [
        ("ls.json", annotated_documents.label_studio_json, "label-studio"),
        ("ls.csv", annotated_documents.label_studio_csv, "label-studio"),
        ("all.jsonl", annotated_documents.doccano_jsonl, "doccano"),
        ("p.jsonl", annotated_documents.prodigy_jsonl, "prodigy"),
        ("a.json", annotated_documents.argilla_json, "argilla"),
        ("train.spacy", annotated_documents.docbin, "spacy"),
    ],
)
def test_spans(name: str, write: Callable[[Sequence[Document]], str | bytes], tool: str, tmp_path: Path) -> None:
    docs = [doc for doc in documents(200) if doc.spans]
    guess, read = looked_at(tmp_path, name, write(docs), kind="token-classification")
    assert guess.format == tool
    spans = [[{"start": s, "end": e, "label": label} for s, e, label in doc.spans] for doc in docs]
    assert [row["spans"] for row in read] == spans


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.conll", annotated_documents.conll2003),
        ("x.txt", annotated_documents.iob),
        ("x.conllu", annotated_documents.conllu),
    ],
)
def test_token_lines(name: str, write: Callable[[Sequence[Document]], str], tmp_path: Path) -> None:
    docs = documents(120)
    guess, read = looked_at(tmp_path, name, write(docs))
    assert (guess.kind, guess.tokens.column, guess.tags.column) == ("token-classification", "tokens", "tags")
    assert [row["tokens"] for row in read] == [list(doc.tokens) for doc in docs]


def test_fasttext(tmp_path: Path) -> None:
    lines = "".join(f"__label__{row['tone']} {row['text']}\n" for row in tones())
    guess, read = looked_at(tmp_path, "train.txt", lines)
    assert (guess.kind, guess.format, len(read)) == ("text-classification", "fasttext", 120)


def test_a_folder_of_members_files_is_one_source(tmp_path: Path) -> None:
    for who in ("ann", "bob"):
        lines = [
            {"id": n, "text": row["text"], "label": [row["tone"]], "Comments": []} for n, row in enumerate(tones())
        ]
        path = tmp_path / "export" / f"{who}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(map(json.dumps, lines)))
    guess, read = pipeline_of(tmp_path, tmp_path / "export")
    assert guess.data.endswith("*")
    assert len(read) == 120


def test_brats_folder(tmp_path: Path) -> None:
    folder = tmp_path / "brat"
    folder.mkdir()
    docs = documents(80)
    annotated_documents.brat(docs, folder)
    guess, read = pipeline_of(tmp_path, folder)
    assert (guess.kind, guess.format) == ("token-classification", "brat")
    assert [len(row["spans"]) for row in read] == [len(doc.spans) for doc in docs]


def test_a_folder_that_datasets_saved(tmp_path: Path) -> None:
    import datasets

    rows = tones()
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(TONES))})
    table = {"text": [row["text"] for row in rows], "label": [row["tone"] for row in rows]}
    saved = datasets.Dataset.from_dict(table, features=features)
    saved.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": saved, "test": saved.select(range(60))}).save_to_disk(tmp_path / "both")
    guess, read = pipeline_of(tmp_path, tmp_path / "one")
    assert set(guess.labels) == set(TONES)
    assert [row["label"] for row in read] == [row["tone"] for row in rows]
    assert plan("marks", tmp_path / "both").rows == 180


def test_parquet_knows_its_labels_by_name(tmp_path: Path) -> None:
    import datasets

    rows = tones()
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(TONES))})
    table = {"text": [row["text"] for row in rows], "label": [row["tone"] for row in rows]}
    datasets.Dataset.from_dict(table, features=features).to_parquet(tmp_path / "rows.parquet")
    guess, read = pipeline_of(tmp_path, tmp_path / "rows.parquet")
    assert set(guess.labels) == set(TONES)
    assert {row["label"] for row in read} == set(TONES)


def test_a_folder_of_several_kinds_of_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder, and nothing is in it"):
        plan("marks", tmp_path)
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    (tmp_path / "b.parquet").write_text("text,label\na,b\n")
    with pytest.raises(SourceError, match=r"is a folder, and holds files of several kinds: \.csv, \.parquet"):
        plan("marks", tmp_path)


def test_what_was_left_out_is_a_warning(tmp_path: Path) -> None:
    lines = [
        {"id": n, "text": row["text"], "label": [row["tone"]] if n % 2 else []} for n, row in enumerate(tones(160))
    ]
    content = "\n".join(json.dumps(line | {"Comments": []}) for line in lines)
    guess, _ = looked_at(tmp_path, "all.jsonl", content)
    assert any("80 × text that nobody labelled" in warning for warning in guess.warnings)
