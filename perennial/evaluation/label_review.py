"""The file of rows whose labels are in doubt: for a person to correct, and to name in data.corrections.

The only way a text leaves the store: because somebody asked for it, into the file they named.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import kinds
from perennial.core.errors import SourceError, SpecError, StoreError
from perennial.core.record import Record
from perennial.core.store import Store, written_atomically
from perennial.evaluation import label_errors
from perennial.kinds.protocols import Kind
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
    differing: int = 0
    """Texts before them of which the people who labelled them said different things."""


def write_label_review(
    spec: PipelineSpec,
    evidence: Evidence,
    store: Store,
    out: Path,
    limit: int,
    differing: Sequence[Mapping[str, Any]] = (),
) -> Reviewed:
    """Write the rows of which people said different things (`differing`: see `annotated_files.differing_texts`), and
    those whose labels the model of `evidence` contradicts most, `limit` of each at most, to `out`, as CSV.

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
    if not doubted and not differing:
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
            for other in differing[:limit]:
                line = _differing_row(kind, other, texts)
                writer.writerow([spreadsheet.safe(line[name]) for name in head])
            for doubt in doubted:
                row = rows[doubt["row_id"]]
                beside = [row[name] or "" for name in texts]
                row |= {GIVEN: kind.beside_text(doubt["given"], beside)}
                row |= {SUGGESTED: kind.beside_text(doubt["suggested"], beside)}
                row |= {SCORE: f"{doubt['score']:.4f}", corrections.LABEL: ""}
                writer.writerow([spreadsheet.safe(row[name]) for name in head])
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise SourceError(f"{out} can't be written: {error.strerror}.", remedy="Give another --out.") from error
    return Reviewed(
        path=str(out),
        looked_at=looked.n,
        found=looked.found,
        written=len(doubted),
        differing=min(len(differing), limit),
    )


def _differing_row(kind: Kind, row: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """A text of which people said different things: what they said as its given label, the decision as suggested."""
    beside = [row["texts"].get(name, "") for name in texts]

    def words(value: Any) -> str:
        said = "" if value is None else kind.target_in_words(value)
        return kind.beside_text(said, beside) if said else said

    given = " | ".join(dict.fromkeys(words(value) for value in row["given"]))
    origin = {ROW_ID: row["row_id"] or "", FILE: row["file"], LINE: row["place"]}
    said = {GIVEN: given, SUGGESTED: words(row["decided"]), SCORE: "", corrections.LABEL: ""}
    return {**origin, **dict(zip(texts, beside, strict=True)), **said}


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
        "it was made on another machine, or `perennial gc` or `perennial forget` removed it.",
        remedy="Name a newer version with --version, or ask on the machine that trained it (PERENNIAL_HOME).",
    )
