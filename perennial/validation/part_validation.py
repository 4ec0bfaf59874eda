"""One part's validation: which rows are good, which are set aside and why, and what later steps need to know of it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import ValidationError, listing
from perennial.ingest import retirements
from perennial.records.data import CheckedPart, Part, Retirement
from perennial.rows.columns import FILE, LINE, ROW_ID, SPLIT, TIME
from perennial.rows.expectation import BUILT_IN, EXISTS, Expected, built_in
from perennial.settings.pipeline import PipelineSpec
from perennial.validation import conflicts, corrections, part_reading, quarantine, resolution
from perennial.validation.corrections import Changes
from perennial.validation.expectations import checkable_columns, row_expectations
from perennial.validation.findings import MAX_PLACES, PartSummary, RowPlace, ValidationFinding, quarantined_for
from perennial.validation.outcomes import Evaluator, ExpectationOutcome
from perennial.validation.part_reading import PartReading
from perennial.validation.resolution import Resolution
from perennial.validation.text_index import Earlier

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "validate"
ROWS = "rows.parquet"
QUARANTINE = "quarantine.csv"
PAGE = "page.html"
CONTRADICTED = "same_text_elsewhere"
FAST, PYTHON = "pyarrow", "python"
"""How pandas holds strings: Arrow's are several times as fast, but its regular expressions differ from Python's, which
Great Expectations' users write; so the pipeline's own expectations are judged on Python's."""

Reasons = Mapping[str, Sequence[str]]


def validate_part(
    spec: PipelineSpec,
    evaluator: Evaluator,
    part: Part,
    changes: Changes,
    earlier: Earlier,
    key: str,
    folder: Path,
) -> PartSummary:
    """Validate `part`, which comes after the good rows of `earlier`; write its files to `folder`.

    `changes`: corrections of rows of the part, made first. `key`: of the part's entry of step `validate`. Raises
    ValidationError when the part lacks a column, SpecError when an expectation can't be evaluated.
    """
    target = kinds.kind_named(spec.kind).target_column
    with (
        corrections.corrected_part(earlier.root / part.path, changes, target, folder) as corrected,
        part_reading.read_part(spec, corrected, folder) as reading,
    ):
        return _check(spec, evaluator, part, changes, reading, earlier, key, folder)


def _check(
    spec: PipelineSpec,
    evaluator: Evaluator,
    part: Part,
    changes: Changes,
    reading: PartReading,
    earlier: Earlier,
    key: str,
    folder: Path,
) -> PartSummary:
    import pyarrow.parquet as pq

    source = reading.source
    name = f"part {len(earlier.files) + 1}"
    outcomes = [*_row_outcomes(spec, evaluator, source, name), *_timeless(spec, evaluator, source, name)]
    reasons = _reasons(outcomes)
    conflict = _conflicts(spec, source, reasons, earlier, folder)
    contradicted = conflict.outvoted
    outcomes.append(_contradiction(spec, evaluator, source, contradicted, name))
    target = kinds.kind_named(spec.kind).target_column
    for row_id, where in contradicted.items():
        reasons.setdefault(row_id, []).append(f"the same text has another {target} at {where}")
    table = pq.read_table(source)
    findings = tuple(_finding(outcome, table) for outcome in outcomes)
    good, bad = _parted(table, reasons)
    _write(good, folder / ROWS)
    if bad.num_rows:
        quarantine.write_quarantine(folder / QUARANTINE, bad, reasons)
        shown = listing(f"{reason.fault} ({reason.unexpected:,})" for reason in filter(quarantined_for, findings))
        progress.note(f"{name}: {bad.num_rows:,} of {part.rows:,} rows quarantined: {shown}")
    superseded = _superseded(conflict, len(earlier.files), key, folder)
    resolved = spec.data.contradictions != "set_aside"
    if resolved:
        _write(_parted(table, contradicted)[1], folder / resolution.OUTVOTED)
        _tell_resolved(spec.data.contradictions, name, contradicted, superseded)
    (folder / PAGE).write_text(evaluator.page(name, outcomes), encoding="utf-8")
    outvoted = len(contradicted) if resolved else 0
    summary = _summary(spec, part, changes, key, folder, good, bad, findings, outvoted, superseded)
    return summary.model_copy(update={"remarks": reading.remarks})


def _row_outcomes(spec: PipelineSpec, evaluator: Evaluator, source: Path, name: str) -> list[ExpectationOutcome]:
    import pyarrow.parquet as pq

    expected = row_expectations(spec)
    present = set(pq.read_schema(source).names)
    columns = [column for column in checkable_columns(spec) if column in present]
    # An expectation on a column that is not there could only fail to run: the missing column is the finding.
    rows = _rows(spec, source, columns)
    possible = [one for one in expected if one.spec.type == EXISTS or set(rows.column_names).issuperset(one.columns)]
    outcomes: list[ExpectationOutcome] = []
    for storage, asked in (
        (FAST, [one for one in possible if one.origin == BUILT_IN]),
        (PYTHON, [one for one in possible if one.origin != BUILT_IN]),
    ):
        if asked:
            outcomes += _judged(evaluator, rows, asked, storage, name)
    missing = [outcome.expected.spec.column for outcome in outcomes if _misses_column(outcome)]
    if missing:
        raise ValidationError(
            f"The data of pipeline '{spec.name}' lacks {listing(map(repr, missing))} in {name}; "
            f"it has the columns {', '.join(sorted(present))}.",
            remedy="Name the source's columns in data.columns, and run again.",
        )
    return outcomes


def _timeless(spec: PipelineSpec, evaluator: Evaluator, source: Path, name: str) -> list[ExpectationOutcome]:
    """Whether each row has a time, where they should; asked only of a part in which some have none."""
    import pyarrow.parquet as pq

    # Older parts have all of them, so this is in no key.
    if spec.data.columns.time is None or TIME not in pq.read_schema(source).names:
        return []
    rows = pq.read_table(source, columns=[ROW_ID, TIME])
    if not rows[TIME].null_count:
        return []
    fault = "the time is missing, can't be read, or is later than now and data.future_tolerance"
    expected = built_in("expect_column_values_to_not_be_null", column=TIME, fault=fault)
    return _judged(evaluator, rows, [expected], FAST, name)


def _misses_column(outcome: ExpectationOutcome) -> bool:
    return outcome.expected.spec.type == EXISTS and outcome.expected.origin == BUILT_IN and not outcome.success


def _rows(spec: PipelineSpec, source: Path, columns: Sequence[str]) -> pa.Table:
    """These columns of the part, and those that the kind derives for its expectations."""
    import pyarrow.parquet as pq

    kind = kinds.kind_named(spec.kind)
    with pq.ParquetFile(source) as file:
        present = set(file.schema_arrow.names)
        rows = file.read(list(columns))
        derived = {}
        if kind.target_column in present:
            derived = kind.derived(file.read([kind.target_column]), spec.data.labels)
    for name, values in derived.items():
        rows = rows.append_column(name, values)
    return rows


def _judged(
    evaluator: Evaluator, rows: pa.Table, expected: Sequence[Expected], storage: str, name: str
) -> list[ExpectationOutcome]:
    """The outcomes on `rows`, with strings in this `storage`: also those that Great Expectations makes of others."""
    import pandas as pd

    with pd.option_context("mode.string_storage", storage):
        return evaluator.outcomes(rows.to_pandas(), expected, [ROW_ID], name)


def _reasons(outcomes: Sequence[ExpectationOutcome]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.quarantines:
            for (row_id,) in outcome.broken_by or ():
                reasons.setdefault(row_id, []).append(outcome.expected.fault)
    return reasons


def _conflicts(spec: PipelineSpec, source: Path, reasons: Reasons, earlier: Earlier, folder: Path) -> Resolution:
    # Only rows that are good so far contradict others: a mended label must not fail by the typo it mends.
    import pyarrow.parquet as pq

    if not kinds.kind_named(spec.kind).contradicts:
        return resolution.nothing({})
    target = kinds.kind_named(spec.kind).target_column
    needed = dict.fromkeys((*resolution.COLUMNS, target))
    good, _ = _parted(pq.read_table(source, columns=list(needed)), reasons)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if spec.data.contradictions == "set_aside":
            return resolution.nothing(conflicts.find_conflicts(good, target, earlier, Path(scratch)))
        return resolution.resolve(spec.data.contradictions, good, target, earlier, Path(scratch))


def _superseded(conflict: Resolution, number: int, key: str, folder: Path) -> Retirement | None:
    """Of the part `number`: the rows of earlier parts that it takes out."""
    rows = conflict.superseded
    if not rows.num_rows:
        return None
    _write(rows, folder / resolution.SUPERSEDED)
    hits = Counter(int(part) for part in rows[retirements.PART].to_pylist())
    path, sha256 = f"{STEP}/{key}/{resolution.SUPERSEDED}", digest.of_file(folder / resolution.SUPERSEDED)
    # After the part: it was validated beside these rows.
    return Retirement(path=path, sha256=sha256, before=number + 1, hits=dict(sorted(hits.items())))


def _tell_resolved(rule: str, name: str, outvoted: Mapping[str, str], superseded: Retirement | None) -> None:
    older = sum(superseded.hits.values()) if superseded else 0
    if outvoted or older:
        progress.note(
            f"{name}: contradicting labels were settled (data.contradictions: {rule}): {len(outvoted):,} of its rows "
            f"and {older:,} older ones don't count."
        )


def _contradiction(
    spec: PipelineSpec, evaluator: Evaluator, source: Path, contradicted: Mapping[str, str], name: str
) -> ExpectationOutcome:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    target = kinds.kind_named(spec.kind).target_column
    expected: Expected = built_in(
        "expect_column_values_to_be_null", column=CONTRADICTED, fault=f"the same text has another {target} elsewhere"
    )
    ids = pq.read_table(source, columns=[ROW_ID])[ROW_ID].combine_chunks()
    which = pc.index_in(ids, value_set=pa.array(list(contradicted), pa.string()))
    elsewhere = pa.array(list(contradicted.values()), pa.string()).take(which)
    return _judged(evaluator, pa.table({ROW_ID: ids, CONTRADICTED: elsewhere}), [expected], FAST, name)[0]


def _finding(outcome: ExpectationOutcome, table: pa.Table) -> ValidationFinding:
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = [str(row_id) for (row_id,) in (outcome.broken_by or ())[:MAX_PLACES]]
    if not ids:
        return outcome.finding(table.num_rows)
    rows = table.select([ROW_ID, FILE, LINE]).filter(pc.is_in(table[ROW_ID], value_set=pa.array(ids, pa.string())))
    places = tuple(RowPlace(row_id=row[ROW_ID], file=row[FILE], line=row[LINE]) for row in rows.to_pylist())
    return outcome.finding(table.num_rows, places[:MAX_PLACES])


def _parted(table: pa.Table, reasons: Reasons) -> tuple[pa.Table, pa.Table]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not reasons:
        return table, table.slice(0, 0)
    bad = pc.is_in(table[ROW_ID], value_set=pa.array(list(reasons), pa.string()))
    return table.filter(pc.invert(bad)), table.filter(bad)


def _write(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd", row_group_size=50_000)


def _summary(
    spec: PipelineSpec,
    part: Part,
    changes: Changes,
    key: str,
    folder: Path,
    good: pa.Table,
    bad: pa.Table,
    findings: tuple[ValidationFinding, ...],
    outvoted: int,
    superseded: Retirement | None,
) -> PartSummary:
    checked = CheckedPart(
        source=part,
        path=f"{STEP}/{key}/{ROWS}",
        sha256=digest.of_file(folder / ROWS),
        rows=good.num_rows,
        quarantined=bad.num_rows - outvoted,
        outvoted=outvoted,
        quarantine_path=f"{STEP}/{key}/{QUARANTINE}" if bad.num_rows else None,
        corrected=len(changes) - corrections.dropped_rows(changes),
        dropped=corrections.dropped_rows(changes),
    )
    strange = _strange_labels(spec, bad)
    return PartSummary(
        checked=checked,
        rows=split_rows(good),
        label_rows=label_rows(spec, good),
        findings=findings,
        strange_labels=dict(strange.most_common(MAX_PLACES)),
        strange_label_count=len(strange),
        superseded=superseded,
    )


def split_rows(good: pa.Table) -> dict[str, int]:
    """Rows per split."""
    return dict(sorted(_counted(good[SPLIT].combine_chunks()).items()))


def label_rows(spec: PipelineSpec, good: pa.Table) -> dict[str, dict[str, int]]:
    """Rows per split and label; empty for a kind without labels."""
    import pyarrow.compute as pc

    good = good.select([SPLIT, kinds.kind_named(spec.kind).target_column])
    rows: dict[str, dict[str, int]] = {}
    for split in sorted(pc.unique(good[SPLIT]).to_pylist()):
        counts = _counts(spec, good.filter(pc.equal(good[SPLIT], split)))
        if counts is not None:
            rows[split] = {str(label): counts[label] for label in sorted(counts)}
    return rows


def _strange_labels(spec: PipelineSpec, bad: pa.Table) -> Counter[str]:
    counts = _counts(spec, bad) or Counter()
    return Counter({label: rows for label, rows in counts.items() if label not in spec.data.labels})


def _counts(spec: PipelineSpec, rows: pa.Table) -> Counter[str] | None:
    """Rows that have each label; None: the kind has none."""
    kind = kinds.kind_named(spec.kind)
    labels = kind.labels_in(rows[kind.target_column].combine_chunks())
    if labels is None:
        return None
    return _counted(labels)


def _counted(values: pa.Array) -> Counter[str]:
    counted = values.drop_null().value_counts()
    return Counter(dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)))
