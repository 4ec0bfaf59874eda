"""The file of rows whose labels are in doubt: for a person to correct, and to name in data.corrections.

The only way a text leaves the store: because somebody asked for it, into the file they named.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import kinds
from perennial.core.errors import SourceError, SpecError, StoreError
from perennial.core.record import Record
from perennial.core.store import Store, written_atomically
from perennial.evaluation import label_errors
from perennial.records.run import Evidence
from perennial.rows import spreadsheet
from perennial.rows.columns import FILE, LINE, ROW_ID
from perennial.settings.pipeline import PipelineSpec
from perennial.validation import corrections

if TYPE_CHECKING:
    import pyarrow as pa

GIVEN, SUGGESTED, SCORE = "given_label", "suggested_label", "score"
BYTE_ORDER_MARK = "\ufeff"
"""What Excel knows UTF-8 by."""


class Reviewed(Record):
    """What was written for review."""

    path: str | None
    """None: there was nothing to write."""
    looked_at: int
    """Test and validation rows."""
    found: int
    """Rows among them whose label the model contradicts."""
    written: int


def write_label_review(spec: PipelineSpec, evidence: Evidence, store: Store, out: Path, limit: int) -> Reviewed:
    """Write the `limit` rows whose labels the model of `evidence` contradicts most to `out`, as CSV.

    Columns: row_id, file, line, the texts, given_label, suggested_label, score (how well the model supports the given
    label, 0 to 1) and an empty `label` for the right one. Raises SpecError when label errors were not looked for or
    `out` is there already, StoreError when the list or its rows are not in this store, SourceError when `out` can't be
    written.
    """
    looked = evidence.evaluation.label_errors
    if looked is None:
        raise SpecError(
            f"This version of {spec.name} was judged by an older Perennial, which did not look for label errors.",
            remedy=f"`perennial run {spec.name}` judges a candidate anew.",
        )
    if out.exists():
        raise SpecError(
            f"{out} is there already, and somebody may have corrected rows in it.",
            remedy="Give another file with --out.",
        )
    doubted = _doubted(evidence, store)[:limit]
    if not doubted:
        return Reviewed(path=None, looked_at=looked.n, found=looked.found, written=0)
    kind = kinds.kind_named(spec.kind)
    texts = kind.text_columns
    rows = _rows(evidence, store, [doubt["row_id"] for doubt in doubted], texts)
    head = [ROW_ID, FILE, LINE, *texts, GIVEN, SUGGESTED, SCORE, corrections.LABEL]
    try:
        with written_atomically(out.resolve()) as file:
            file.write(BYTE_ORDER_MARK)
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            for doubt in doubted:
                row = rows[doubt["row_id"]]
                beside = [row[name] or "" for name in texts]
                row |= {GIVEN: kind.beside_text(doubt["given"], beside)}
                row |= {SUGGESTED: kind.beside_text(doubt["suggested"], beside)}
                row |= {SCORE: f"{doubt['score']:.4f}", corrections.LABEL: ""}
                writer.writerow([spreadsheet.safe(row[name]) for name in head])
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise SourceError(f"{out} can't be written: {error.strerror}.", remedy="Give another --out.") from error
    return Reviewed(path=str(out), looked_at=looked.n, found=looked.found, written=len(doubted))


def _doubted(evidence: Evidence, store: Store) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    path = (store.root / evidence.evaluation.predictions_path).with_name(label_errors.FILE)
    if not path.is_file():
        raise _gone(evidence, store)
    doubts: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return doubts


def _rows(evidence: Evidence, store: Store, ids: Sequence[str], texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = {row[ROW_ID]: row for table in _tables(evidence, store, ids, texts) for row in table.to_pylist()}
    if any(row_id not in rows for row_id in ids):
        raise _gone(evidence, store)
    return rows


def _tables(evidence: Evidence, store: Store, ids: Sequence[str], texts: Sequence[str]) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(ids, pa.string())
    for part in evidence.judged.parts:
        path = store.root / part.path
        if not path.is_file():
            raise _gone(evidence, store)
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=[ROW_ID, FILE, LINE, *texts]):
                yield pa.Table.from_batches([batch.filter(pc.is_in(batch.column(ROW_ID), value_set=wanted))])


def _gone(evidence: Evidence, store: Store) -> StoreError:
    return StoreError(
        f"The list of label errors of {evidence.snapshot.pipeline}, or the rows it names, are not in {store.root}: "
        "it was made on another machine, or `perennial gc` removed it.",
        remedy="Name a newer version with --version, or ask on the machine that trained it (PERENNIAL_HOME).",
    )
