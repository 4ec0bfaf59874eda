"""What an expectation came to on one table: Great Expectations' answer, kept free of the table's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from perennial.rows.expectation import Expected
from perennial.validation.findings import RowPlace, ValidationFinding

if TYPE_CHECKING:
    import pandas as pd

SHOWN_GROUPS = 12
_COUNTS = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
    "missing_count",
    "missing_percent",
)


@dataclass(frozen=True)
class ExpectationOutcome:
    """One expectation's outcome."""

    expected: Expected
    success: bool
    broken_by: tuple[tuple[Any, ...], ...] | None
    """The index columns' values of each row that breaks it; None: it is not about rows."""
    figures: Mapping[str, Any]
    """Great Expectations' own counts, and the value observed if that is a number; never a value of a row."""

    def finding(self, rows: int, places: tuple[RowPlace, ...] = (), observed: str | None = None) -> ValidationFinding:
        """The outcome on a table of `rows` rows as a record; `places`: the first rows that break it."""
        spec = self.expected.spec
        figure = self.figures.get("observed_value")
        return ValidationFinding(
            type=spec.type,
            column=spec.column,
            severity=spec.severity,
            origin=self.expected.origin,
            fault=self.expected.fault,
            success=self.success,
            row_level=self.broken_by is not None,
            unexpected=len(self.broken_by or ()),
            rows=rows,
            places=places,
            observed=observed if observed is not None or figure is None else f"{figure:,}",
        )

    @property
    def quarantines(self) -> bool:
        """Whether the rows that break it are set aside."""
        return not self.success and self.broken_by is not None and self.expected.spec.severity == "warning"


class Evaluator(Protocol):
    """What judges tables; Great Expectations, in `perennial.validation.judge`."""

    def outcomes(
        self, table: pd.DataFrame, expected: Sequence[Expected], index: Sequence[str], where: str
    ) -> list[ExpectationOutcome]:
        """Each expectation's outcome; `index`: the columns that name a row; `where`: the table, for an error.

        Raises SpecError when an expectation of the pipeline can't be evaluated.
        """

    def page(self, title: str, outcomes: Sequence[ExpectationOutcome]) -> str:
        """Data Docs' HTML page of these outcomes."""


def without_values(result: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of Great Expectations' result: an observed value is kept only if it is a number."""
    figures = {name: result[name] for name in _COUNTS if name in result}
    observed = result.get("observed_value")
    if isinstance(observed, int | float) and not isinstance(observed, bool):
        figures["observed_value"] = observed
    if "unexpected_count" in figures:
        # Data Docs take these for granted.
        figures = {"element_count": 0, "unexpected_percent": 0.0} | figures
    return figures


def broken_by(result: Mapping[str, Any], index: Sequence[str]) -> tuple[tuple[Any, ...], ...] | None:
    """The index columns' values of each row that breaks the expectation; None: it is not about rows."""
    entries = result.get("unexpected_index_list")
    if entries is None:
        return None
    rows: list[tuple[Any, ...]] = []
    for entry in entries:
        # One entry with lists when values are left out, else one entry a row.
        columns = [entry[name] if isinstance(entry[name], list) else [entry[name]] for name in index]
        rows.extend(zip(*columns, strict=True))
    return tuple(rows)


def broken_groups(
    outcome: ExpectationOutcome, rows: Sequence[Mapping[str, Any]], index: Sequence[str], value: str
) -> str | None:
    """The rows of a table of figures that break an expectation, in words: `positive, test: 0`."""
    if not outcome.broken_by:
        return None
    values = {tuple(row[name] for name in index): row[value] for row in rows}
    broken = [f"{', '.join(map(str, name))}: {values[name]:.4g}" for name in outcome.broken_by[:SHOWN_GROUPS]]
    rest = len(outcome.broken_by) - SHOWN_GROUPS
    return "; ".join(broken) + (f" and {rest:,} more" if rest > 0 else "")
