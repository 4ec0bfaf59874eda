"""Rows are drawn whole, by what each kind of task has to learn in them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tiny_model import TINY_WORDS, write_tiny_tokenizer

from perennial import kinds
from perennial.core import digest
from perennial.inference.tokenization import Tokenizer
from perennial.records.data import CheckedPart, EncodedData, EncodedPart, Part, ValidatedData
from perennial.settings.pipeline import PipelineSpec
from perennial.training import row_selection
from perennial.training.encoding import row_encoding
from perennial.training.encoding.dataset import EncodedRows, batches_of

LABELS = ("company", "person")


def spec(kind: str, labels: tuple[str, ...], **training: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "choice",
            "kind": kind,
            "data": {"source": {"type": "file", "path": "a.jsonl"}, "labels": labels, "columns": {"time": "time"}},
            "model": {"max_length": 12},
            "training": training,
            "gates": [{"metric": {"regression": "r2", "token-classification": "f1"}.get(kind, "accuracy"), "min": 0.1}],
        }
    )


class Encoded:
    """Rows of a kind, encoded as one part, batch by batch."""

    def __init__(self, made: PipelineSpec, columns: dict[str, list[Any]], folder: Path) -> None:
        self.spec, self.root = made, folder
        write_tiny_tokenizer(folder / "tokenizer.json")
        tokenizer = Tokenizer(folder / "tokenizer.json", made.model.max_length)
        types = kinds.kind_named(made.kind).column_types()
        count = len(next(iter(columns.values())))
        some = {name: pa.array(columns.get(name, [None] * count), kind) for name, kind in types.items()}
        some |= {
            "row_id": pa.array([f"row {number}" for number in range(count)]),
            "time": pa.array([None if number % 5 == 0 else number * 10**6 for number in range(count)]).cast(
                pa.timestamp("us", tz="UTC")
            ),
        }
        table = pa.table(some)
        batches = [row_encoding._encode(made, table.slice(start, 7), tokenizer)[0] for start in range(0, count, 7)]
        with pa.ipc.new_file(folder / row_encoding.ROWS, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        self.part = EncodedPart(path=".", digest="", rows=count, truncated=0)
        self.data = EncodedData(digest="", parts=(self.part,), rows=count, truncated=0, tokenizer_path="")

    def choose(self) -> row_selection.SelectedRows:
        part = Part(path=".", sha256="a" * 64, rows=self.data.rows)
        checked = CheckedPart(
            source=part, path=".", sha256="a" * 64, rows=part.rows, quarantined=0, quarantine_path=None
        )
        validated = ValidatedData(
            digest=digest.of_values(),
            parts=(checked,),
            rows={},
            label_rows={},
            quarantined=0,
            warnings=(),
            report_path="",
        )
        return row_selection.select_rows(self.spec, self.data, validated, None, self.root)

    @property
    def keys(self) -> np.ndarray:
        return np.concatenate([batch.column(row_encoding.KEY).to_numpy() for batch in batches_of(self.part, self.root)])


def text(words: int, number: int) -> str:
    draw = np.random.default_rng(number)
    return " ".join(draw.choice(TINY_WORDS, words))


def span(label: str) -> dict[str, Any]:
    return {"start": 0, "end": 3, "label": label}


def test_all_windows_of_a_row_are_drawn_or_none(tmp_path: Path) -> None:
    texts = [text(3 + 9 * (number % 4), number) for number in range(60)]
    spans = [[span(LABELS[number % 20 == 0])] if number % 2 == 0 else [] for number in range(60)]
    made = Encoded(spec("token-classification", LABELS, max_rows=20), {"text": texts, "spans": spans}, tmp_path)
    found = made.choose()
    assert found.rows == 20
    assert found.segments is not None
    assert len(made.keys) > 60
    drawn = set(made.keys[found.segments].tolist())
    assert len(drawn) == 20
    assert set(np.isin(made.keys, list(drawn)).nonzero()[0].tolist()) == set(found.segments.tolist())
    # One row in twenty holds a person: at least one of them is there.
    rows = EncodedRows(made.data, made.root, found.segments)
    assert (rows.targets == 3).any()
    every = np.concatenate([rows[place][1] for place in range(len(rows))])
    assert rows.targets.tolist() == every.tolist()


def test_a_rare_label_among_several_is_drawn(tmp_path: Path) -> None:
    labels = [["common", "rare"] if number == 41 else ["common"] if number % 3 else [] for number in range(60)]
    made = Encoded(
        spec("multi-label", ("common", "rare"), max_rows=12),
        {"text": [text(4, number) for number in range(60)], "label": labels},
        tmp_path,
    )
    found = made.choose()
    rows = EncodedRows(made.data, made.root, found.segments)
    assert len(rows) == 12
    assert rows.targets[:, 1].sum() == 1
    assert 5 <= rows.targets[:, 0].sum() <= 9


def test_numbers_are_drawn_without_regard_to_any_label(tmp_path: Path) -> None:
    made = Encoded(
        spec("regression", (), max_rows=12),
        {"text": [text(4, number) for number in range(60)], "label": [number / 2 for number in range(60)]},
        tmp_path,
    )
    assert len(EncodedRows(made.data, made.root, made.choose().segments)) == 12


def test_without_a_limit_no_row_is_looked_at(tmp_path: Path) -> None:
    texts = {"text": [text(4, number) for number in range(10)], "label": ["company"] * 10}
    made = Encoded(spec("text-classification", LABELS), texts, tmp_path)
    (tmp_path / row_encoding.ROWS).unlink()
    assert made.choose() == row_selection.SelectedRows(10)


@pytest.mark.parametrize("kind", kinds.names())
def test_every_output_has_a_name_of_its_own(kind: str) -> None:
    labels = () if kind == "regression" else LABELS
    names = kinds.kind_named(kind).output_names(labels)
    assert len(set(names)) == len(names) == kinds.kind_named(kind).outputs(labels)
