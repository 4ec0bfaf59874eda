"""Rows that pass validation, without Great Expectations, whose import takes seconds."""

from perennial.core import digest
from perennial.records.data import CheckedPart, Snapshot, ValidatedData


def checked(snapshot: Snapshot) -> ValidatedData:
    """`snapshot` as validation passes it when every row is good."""
    parts = tuple(
        CheckedPart(
            source=part, path=part.path, sha256=part.sha256, rows=part.rows, quarantined=0, quarantine_path=None
        )
        for part in snapshot.parts
    )
    return ValidatedData(
        digest=digest.of_values(parts=[part.sha256 for part in parts]),
        parts=parts,
        rows={},
        label_rows={},
        quarantined=0,
        warnings=(),
        report_path="",
    )
