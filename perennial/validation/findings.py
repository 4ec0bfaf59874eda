"""What validation found: one record per expectation, and per part what later steps need without reading it again."""

from pydantic import Field

from perennial.core.record import Record
from perennial.records.data import CheckedPart, Retirement
from perennial.settings.data import Severity

MAX_PLACES = 20
"""Rows named in a finding; the rest is counted."""


class RowPlace(Record):
    """Where a row came from."""

    row_id: str
    file: str
    line: int | None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class ValidationFinding(Record):
    """What one expectation came to, on one part or on the figures of all parts."""

    type: str
    """Great Expectations' name of it."""
    column: str | None
    severity: Severity
    origin: str
    """data.expectations[i], or `built in`."""
    fault: str
    """What a row, or the data, that breaks it is, in words."""
    success: bool
    row_level: bool
    """Whether it names the rows that break it."""
    unexpected: int
    """Rows that break it; 0 if it is not about rows."""
    rows: int
    """Rows it looked at."""
    places: tuple[RowPlace, ...] = ()
    """The first rows that break it, at most MAX_PLACES."""
    observed: str | None = None
    """The figure seen instead, if it is one; or the groups of rows that break it."""


class PartSummary(Record):
    """A part's validation: the checked part, and all that a report or a check across parts needs of it."""

    checked: CheckedPart
    rows: dict[str, int]
    """Good rows per split."""
    label_rows: dict[str, dict[str, int]]
    """Good rows per split and label; empty for a kind without labels."""
    findings: tuple[ValidationFinding, ...]
    strange_labels: dict[str, int]
    """Rows per label that data.labels lacks, most frequent first, cut after MAX_PLACES."""
    strange_label_count: int
    """How many such labels there are."""
    remarks: tuple[str, ...] = Field(default=(), exclude_if=lambda remarks: not remarks)
    """What a person should know of how its targets were read, each in a sentence without its stop."""
    superseded: Retirement | None = Field(default=None, exclude_if=lambda retirement: retirement is None)
    """Rows of earlier parts that one of this part was put before, by data.contradictions."""


def quarantined_for(finding: ValidationFinding) -> bool:
    """Whether the rows that break this expectation were set aside."""
    return finding.row_level and not finding.success and finding.severity == "warning"
