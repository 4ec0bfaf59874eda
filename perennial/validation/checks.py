"""What is expected of all parts together, and the small tables of figures that Great Expectations judges it on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from perennial.core.percent import percent
from perennial.rows.expectation import Expected, built_in
from perennial.settings.data import SPLITS
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.findings import PartSummary
from perennial.validation.retired_counts import RetiredCounts

MIN_ROWS_TO_COMPARE = 50
"""With fewer rows on either side, label shares differ by chance alone."""


@dataclass(frozen=True)
class FigureTable:
    """A table of figures with what is expected of it. `index`: the columns that name its rows."""

    name: str
    rows: list[dict[str, str | int | float]]
    index: tuple[str, ...]
    value: str
    expected: tuple[Expected, ...]


def across_parts(
    spec: PipelineSpec, parts: Sequence[PartSummary], older: int, gone: RetiredCounts
) -> list[FigureTable]:
    """The figures of all parts, of whose good rows those that are `gone` don't count; the first `older` of them were
    validated before, the others are new."""
    return [
        _row_counts(spec, parts, gone),
        _quarantined(spec, parts, older),
        *_label_shift(spec, parts, older),
    ]


def rows_per_split(parts: Sequence[PartSummary], gone: RetiredCounts) -> dict[str, int]:
    """Good rows of all parts in each split, without those that are gone."""
    return {split: sum(part.rows.get(split, 0) for part in parts) - gone.rows.get(split, 0) for split in SPLITS}


def rows_per_label(spec: PipelineSpec, parts: Sequence[PartSummary], gone: RetiredCounts) -> dict[str, dict[str, int]]:
    """Good rows of all parts in each split and label, without those that are gone; data.labels first and all there;
    empty: no label column."""
    if not spec.data.labels:
        return {}
    all_labels = {label for part in parts for rows in part.label_rows.values() for label in rows}
    labels = [*spec.data.labels, *sorted(all_labels - set(spec.data.labels))]
    return {split: _rows_per_label(parts, gone, split, labels) for split in SPLITS}


def _rows_per_label(
    parts: Sequence[PartSummary], gone: RetiredCounts, split: str, labels: Sequence[str]
) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.label_rows.get(split, {}))
    counts.subtract(gone.label_rows.get(split, {}))
    return {label: counts[label] for label in labels}


def quarantined_share(parts: Sequence[PartSummary]) -> float:
    """Quarantined rows among all rows of `parts`; 0 if they have none."""
    rows = sum(part.checked.source.rows for part in parts)
    return sum(part.checked.quarantined for part in parts) / rows if rows else 0.0


def label_shares(parts: Sequence[PartSummary]) -> dict[str, float]:
    """Share of each label among the good rows of `parts`; empty if they have none."""
    counts = _labels(parts)
    return {label: rows / counts.total() for label, rows in counts.items()}


def label_distance(one: dict[str, float], other: dict[str, float]) -> float:
    """Total variation distance of two sets of shares, 0 (alike) to 1: half the sum of the absolute differences."""
    return sum(abs(one.get(label, 0) - other.get(label, 0)) for label in {*one, *other}) / 2


def _row_counts(spec: PipelineSpec, parts: Sequence[PartSummary], gone: RetiredCounts) -> FigureTable:
    enough = built_in(
        "expect_column_sum_to_be_between",
        column="rows",
        min_value=spec.data.min_rows,
        severity="critical",
        fault=f"there are fewer than {spec.data.min_rows:,} rows in all (data.min_rows)",
    )
    labels = rows_per_label(spec, parts, gone)
    if not labels:
        counts: list[dict[str, str | int | float]] = [
            {"split": split, "rows": rows} for split, rows in rows_per_split(parts, gone).items()
        ]
        return FigureTable("rows", counts, ("split",), "rows", (enough,))
    enough_per_label = built_in(
        "expect_column_values_to_be_between",
        column="rows",
        min_value=spec.data.min_rows_per_label,
        severity="critical",
        fault=f"a label has fewer than {spec.data.min_rows_per_label:,} rows in a split (data.min_rows_per_label)",
    )
    counts = [
        {"label": label, "split": split, "rows": rows}
        for split, per_label in labels.items()
        for label, rows in per_label.items()
    ]
    return FigureTable("rows", counts, ("label", "split"), "rows", (enough, enough_per_label))


def _quarantined(spec: PipelineSpec, parts: Sequence[PartSummary], older: int) -> FigureTable:
    groups = {"all": parts} | ({"new": parts[older:]} if 0 < older < len(parts) else {})
    shares: list[dict[str, str | int | float]] = [
        {"of": _counted(name, group), "share": round(quarantined_share(group), 6)} for name, group in groups.items()
    ]
    limit = built_in(
        "expect_column_values_to_be_between",
        column="share",
        max_value=spec.data.max_quarantined,
        severity="critical",
        fault=f"more than {percent(spec.data.max_quarantined, 2)} of the rows are quarantined (data.max_quarantined)",
    )
    return FigureTable("quarantined", shares, ("of",), "share", (limit,))


def _counted(name: str, parts: Sequence[PartSummary]) -> str:
    rows = sum(part.checked.source.rows for part in parts)
    return f"{sum(part.checked.quarantined for part in parts):,} of {name} {rows:,} rows"


def _label_shift(spec: PipelineSpec, parts: Sequence[PartSummary], older: int) -> list[FigureTable]:
    sides = parts[:older], parts[older:]
    if min(_labels(side).total() for side in sides) < MIN_ROWS_TO_COMPARE:
        return []
    old, new = (label_shares(side) for side in sides)
    moved = sorted({*old, *new}, key=lambda label: -abs(old.get(label, 0) - new.get(label, 0)))[:3]
    shifts = ", ".join(f"{label!r} {percent(old.get(label, 0))} → {percent(new.get(label, 0))}" for label in moved)
    limit = built_in(
        "expect_column_values_to_be_between",
        column="label_shift",
        max_value=spec.data.max_label_shift,
        severity="warning",
        fault=f"the label shares of the new rows are further than {spec.data.max_label_shift:g} (data.max_label_shift, "
        f"total variation distance) from those of the older rows: {shifts}",
    )
    shift: dict[str, str | int | float] = {"of": "new rows", "label_shift": round(label_distance(old, new), 6)}
    return [FigureTable("label shares", [shift], ("of",), "label_shift", (limit,))]


def _labels(parts: Sequence[PartSummary]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in parts:
        for rows in part.label_rows.values():
            counts.update(rows)
    return counts
