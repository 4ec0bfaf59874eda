"""Exports of annotation tools as a pipeline's source: recognised, one row a text, what became of them recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notes import Notes

from perennial.core.errors import SourceError
from perennial.core.home import Home
from perennial.core.progress import heard_by
from perennial.ingest import differing, snapshot_heads
from perennial.ingest.snapshots import accept, ingest
from perennial.records.data import Snapshot
from perennial.rows.columns import FILE, LINE
from perennial.settings.pipeline import PipelineSpec


class Annotated:
    """A pipeline over exports in its folder."""

    def __init__(self, folder: Path, columns: dict[str, Any], kind: str, source: dict[str, Any], **data: Any) -> None:
        self.folder, self.home, self.notes = folder, Home(folder / "home"), list[str]()
        source = {"type": "file", "path": "data/*", **source}
        gates = [{"metric": "accuracy" if kind == "text-classification" else "micro_f1", "min": 0.1}]
        settings = {
            "name": "marks",
            "kind": kind,
            "data": {"source": source, "columns": columns, **data},
            "gates": gates,
        }
        self.spec = PipelineSpec.model_validate(settings).located(folder)

    def write(self, name: str, content: str) -> None:
        path = self.folder / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode())

    def ingest(self) -> Snapshot:
        listener = Notes()
        with heard_by(listener):
            snapshot = ingest(self.spec, self.home)
        accept(self.spec, snapshot, self.home)
        self.notes = listener.messages
        return snapshot

    def rows(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        import pyarrow.parquet as pq

        from perennial.ingest import retirements

        gone = retirements.RetiredIds(snapshot.retired, self.home.store)
        return [
            row
            for number, part in enumerate(snapshot.parts)
            for batch in pq.read_table(self.home.store.root / part.path).to_batches()
            for row in gone.filtered(number, batch).to_pylist()
        ]


Make = Callable[..., Annotated]


@pytest.fixture
def annotated(tmp_path: Path) -> Make:
    def make(kind: str = "text-classification", source: dict[str, Any] | None = None, **columns: Any) -> Annotated:
        columns = {"text": "text", "label": "label", "id": "id"} | columns
        return Annotated(tmp_path, columns, kind, source or {}, labels=["a", "b", "x#y", "C, D"])

    return make


def doccano(*labels: list[Any], first: int = 1) -> str:
    return "".join(
        json.dumps({"id": number, "text": f"text {number}", "label": label, "Comments": []}) + "\n"
        for number, label in enumerate(labels, first)
    )


def test_members_files_are_read_together_and_one_more_opinion_is_no_correction(annotated: Make) -> None:
    made = annotated()
    made.write("ann.jsonl", doccano(["a"], ["b"], ["a"]))
    first = made.ingest()
    assert [(row["row_id"], row["label"]) for row in made.rows(first)] == [("1", "a"), ("2", "b"), ("3", "a")]
    made.write("bob.jsonl", doccano(["a"], [], []))
    second = made.ingest()
    assert (second.rows, second.new_rows, second.corrected_rows, second.deleted_rows) == (3, 0, 0, 0)
    agreement = second.readings[0].agreement
    assert agreement is not None
    assert (agreement.texts, agreement.annotators, agreement.differing) == (1, 2, 0)


def test_people_who_disagree_are_kept_for_review_and_their_agreement_is_recorded(annotated: Make) -> None:
    made = annotated()
    made.write("ann.jsonl", doccano(["a"], ["b"], ["a"], ["b"]))
    made.write("bob.jsonl", doccano(["a"], ["b"], ["b"], ["b"]))
    snapshot = made.ingest()
    assert [row["row_id"] for row in made.rows(snapshot)] == ["1", "2", "4"]
    agreement = snapshot.readings[0].agreement
    assert agreement is not None
    assert agreement.low is not None
    assert agreement.high is not None
    assert agreement.alpha == pytest.approx(0.533, abs=0.001)
    assert agreement.low <= agreement.alpha <= agreement.high
    assert (agreement.texts, agreement.differing, agreement.undecided) == (4, 1, 1)
    kept = differing.read(made.home, "marks")
    assert [(row["row_id"], row["texts"], row["given"], row["decided"]) for row in kept] == [
        ("3", {"text": "text 3"}, ["a", "b"], None)
    ]
    assert any("annotators disagree" in note for note in made.notes)
    assert made.ingest().readings == snapshot.readings


def test_people_who_differ_in_spelling_alone_agree(annotated: Make) -> None:
    made = annotated()
    made.write("ann.jsonl", doccano(["a"], ["B "], ["A"], ["b"]))
    made.write("bob.jsonl", doccano(["A"], ["b"], ["b"], ["B"]))
    data = {**made.spec.model_dump(mode="json")["data"], "fold_labels": True}
    made.spec = PipelineSpec.model_validate({**made.spec.model_dump(mode="json"), "data": data}).located(made.folder)
    snapshot = made.ingest()
    assert [(row["row_id"], row["label"].strip().lower()) for row in made.rows(snapshot)] == [
        ("1", "a"),
        ("2", "b"),
        ("4", "b"),
    ]
    agreement = snapshot.readings[0].agreement
    assert agreement is not None
    assert (agreement.texts, agreement.differing, agreement.undecided) == (4, 1, 1)
    # As of the same answers in one spelling: see above.
    assert agreement.alpha == pytest.approx(0.533, abs=0.001)
    assert [row["row_id"] for row in differing.read(made.home, "marks")] == ["3"]


def test_labels_are_lists_for_a_kind_with_several_also_where_no_text_has_two(annotated: Make) -> None:
    made = annotated("multi-label")
    made.write("all.jsonl", doccano(["C, D"], ["x#y"]))
    assert [row["label"] for row in made.rows(made.ingest())] == [["C, D"], ["x#y"]]


def test_spans_of_an_export_are_learned(annotated: Make) -> None:
    made = annotated("token-classification", spans="label")
    line = {"id": 1, "text": "😀 Paris and Lima", "label": [[3, 9, "a"], [13, 17, "b"]], "Comments": []}
    made.write("all.jsonl", json.dumps(line))
    row = made.rows(made.ingest())[0]
    assert [row["text"][one["start"] : one["end"]] for one in row["spans"]] == ["Paris", "Lima"]
    assert (row[FILE], row[LINE]) == ("data/all.jsonl", 1)


def test_conll_is_read_by_its_tokens_and_tags(annotated: Make) -> None:
    made = annotated("token-classification", tokens="tokens", tags="tags", id=None)
    made.write("train.txt", "Paris B-a\nis O\n\nLima B-b\n")
    assert [row["tokens"] for row in made.rows(made.ingest())] == [["Paris", "is"], ["Lima"]]


def test_a_tables_format_reads_an_export_as_the_table_it_is(annotated: Make) -> None:
    made = annotated("multi-label", source={"format": "jsonl"})
    made.write("all.jsonl", doccano(["a"], [], ["a", "b"]))
    assert [row["label"] for row in made.rows(made.ingest())] == [["a"], [], ["a", "b"]]
    assert made.ingest().readings == ()


def test_exports_of_two_tools_side_by_side_are_told(annotated: Make) -> None:
    made = annotated()
    made.write("all.jsonl", doccano(["a"]))
    made.write("p.jsonl", json.dumps({"text": "t", "_input_hash": 1, "label": "a", "answer": "accept"}))
    with pytest.raises(SourceError, match="several annotation tools"):
        made.ingest()


def test_a_format_that_is_not_the_files_is_told(annotated: Make) -> None:
    made = annotated(source={"format": "label-studio"})
    made.write("all.jsonl", doccano(["a"]))
    with pytest.raises(SourceError, match="looks like doccano's"):
        made.ingest()


def test_plain_tables_stay_plain_tables(annotated: Make) -> None:
    made = annotated(id=None)
    made.write("rows.jsonl", '{"text": "t", "label": "a"}\n')
    made.write("rows.csv", "text,label\nu,b\n")
    snapshot = made.ingest()
    assert sorted((row["text"], row["label"]) for row in made.rows(snapshot)) == [("t", "a"), ("u", "b")]
    assert snapshot.readings == ()


def test_columns_that_an_export_lacks_are_told_with_those_it_has(annotated: Make) -> None:
    made = annotated(label="labels")
    made.write("all.jsonl", doccano(["a"]))
    with pytest.raises(SourceError, match="nearest to 'labels' is 'label'"):
        made.ingest()


def test_what_a_person_decides_in_corrections_makes_a_row_of_a_tie(annotated: Make, tmp_path: Path) -> None:
    made = annotated()
    made.write("ann.jsonl", doccano(["a"], ["b"]))
    made.write("bob.jsonl", doccano(["a"], ["a"]))
    assert [row["row_id"] for row in made.rows(made.ingest())] == ["1"]
    (tmp_path / "settled.csv").write_text("row_id,label\n2,b\n")
    data = made.spec.data.model_copy(update={"corrections": ("settled.csv",)})
    made.spec = made.spec.model_copy(update={"data": data}).located(tmp_path)
    assert [(row["row_id"], row["label"]) for row in made.rows(made.ingest())] == [("1", "a"), ("2", "b")]


def test_agreement_is_in_the_validation_report_and_the_labels_of_a_run(annotated: Make) -> None:
    from perennial.validation.snapshot_validation import validate

    made = annotated()
    made.write("ann.jsonl", doccano(*(["ab"[number % 2]] for number in range(60))))
    made.write("bob.jsonl", doccano(*(["ab"[(number + (number % 10 == 0)) % 2]] for number in range(60))))
    data = made.spec.data.model_copy(update={"labels": ("a", "b"), "min_rows": 10, "min_rows_per_label": 0})
    made.spec = made.spec.model_copy(update={"data": data}).located(made.folder)
    validated = validate(made.spec, made.ingest(), made.home)
    assert sum(validated.rows.values()) == 54
    report = made.home.store.root / validated.report_path
    [export] = json.loads((report / "validation.json").read_text(encoding="utf-8"))["exports"]
    assert (export["tool"], export["agreement"]["texts"], export["agreement"]["undecided"]) == ("doccano", 60, 6)
    assert 0.5 < export["agreement"]["low"] < export["agreement"]["alpha"] < export["agreement"]["high"] < 1
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "Krippendorff" in page
    assert "text 1" not in page


def test_settings_that_are_new_leave_an_older_homes_snapshot_where_it_is(annotated: Make) -> None:
    from perennial.core import digest

    made = annotated(source={"path": "data.csv"}, id=None)
    data = made.spec.data
    source = {"type": "file", "path": ["data.csv"], "format": "auto", "delimiter": None}
    columns = {name: value for name, value in data.columns.model_dump(mode="json").items() if name != "deleted"}
    older = digest.of_values(format=1, source=source, columns=columns, kind=made.spec.kind, splits=data.splits)
    assert snapshot_heads.stored_at(made.spec, made.home).path.name == f"snapshot-{older[:12]}.json"
