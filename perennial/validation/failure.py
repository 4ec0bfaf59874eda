"""Why data does not pass, told so that a person can mend it: rows, places, labels, files; never texts."""

import difflib
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from perennial.core.errors import ValidationError, listing
from perennial.rows import label_spelling
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.findings import MAX_PLACES, PartSummary, ValidationFinding, quarantined_for

SHOWN_PLACES = 3
SHOWN_REASONS = 5
MAX_LABEL = 40
"""Characters of a strange label that are shown: one that long is no label."""
MANY_LABELS = 20
"""More strange labels than this are no typos: the column is the wrong one."""


def failure(
    spec: PipelineSpec, parts: Sequence[PartSummary], across: Sequence[ValidationFinding], store: Path, report: Path
) -> ValidationError | None:
    """The error that names every critical expectation that is not met; None: all are.

    `across`: findings on the figures of all parts. `store`: the store's root. `report`: the report's folder.
    """
    problems = [_rows_problem(finding) for finding in merged(parts) if _stops(finding)]
    for finding in across:
        if _stops(finding):
            detail = _quarantine_problem(spec, parts, store) if finding.column == "share" else ""
            problems.append(f"{finding.fault}{_observed(finding)}{detail}")
    if not problems:
        return None
    one = len(problems) == 1
    problem_list = (
        problems[0] if one else "".join(f"\n{number}. {problem}" for number, problem in enumerate(problems, 1))
    )
    expectations = "an expectation of" if one else f"{len(problems)} expectations of"
    return ValidationError(
        f"The data of pipeline '{spec.name}' breaks {expectations} severity critical: {problem_list}.",
        remedy=_remedy(spec, parts, across, report),
    )


def merged(parts: Sequence[PartSummary]) -> list[ValidationFinding]:
    """The parts' findings, each expectation once: rows counted over all parts, the first places named."""
    together: dict[tuple[str, str, str], list[ValidationFinding]] = {}
    for part in parts:
        for finding in part.findings:
            together.setdefault((finding.origin, finding.type, finding.fault), []).append(finding)
    return [_merge(findings) for findings in together.values()]


def reasons(parts: Sequence[PartSummary]) -> list[ValidationFinding]:
    """The expectations that set rows aside, the most frequent first."""
    return sorted(filter(quarantined_for, merged(parts)), key=lambda finding: -finding.unexpected)


def first_rows(finding: ValidationFinding) -> str:
    """The first rows that break an expectation, as file:line, with the count of the rest."""
    shown = ", ".join(str(row) for row in finding.places[:SHOWN_PLACES])
    rest = finding.unexpected - min(len(finding.places), SHOWN_PLACES)
    return f"{shown} and {rest:,} more" if rest else shown


def _merge(findings: Sequence[ValidationFinding]) -> ValidationFinding:
    # Rows that were let pass (mostly=…) in one part must not be counted as quarantined with another's.
    failed = [finding for finding in findings if not finding.success] or findings
    places = itertools.islice((row for finding in failed for row in finding.places), MAX_PLACES)
    return findings[0].model_copy(
        update={
            "success": failed is findings,
            "row_level": any(finding.row_level for finding in findings),
            "unexpected": sum(finding.unexpected for finding in failed),
            "rows": sum(finding.rows for finding in findings),
            "places": tuple(places),
            "observed": failed[0].observed,
        }
    )


def _stops(finding: ValidationFinding) -> bool:
    return finding.severity == "critical" and not finding.success


def _rows_problem(finding: ValidationFinding) -> str:
    where = "" if finding.origin == "built in" else f" ({finding.origin})"
    if finding.row_level:
        return f"{finding.fault}{where}: {finding.unexpected:,} of {finding.rows:,} rows ({first_rows(finding)})"
    return f"{finding.fault}{where}{_observed(finding)}"


def _observed(finding: ValidationFinding) -> str:
    return f"; seen: {finding.observed}" if finding.observed else ""


def _quarantine_problem(spec: PipelineSpec, parts: Sequence[PartSummary], store: Path) -> str:
    top = reasons(parts)
    rows = (f"{reason.unexpected:,} × {reason.fault} ({first_rows(reason)})" for reason in top[:SHOWN_REASONS])
    shown = "; ".join(rows)
    files = [str(store / path) for part in reversed(parts) if (path := part.checked.quarantine_path)]
    shown += f"; and {len(top) - SHOWN_REASONS} more reasons" if len(top) > SHOWN_REASONS else ""
    return (
        f". The reasons: {shown}{_strange_labels(spec, parts)}. The rows set aside, with reasons: {listing(files, 3)}"
    )


def _strange_labels(spec: PipelineSpec, parts: Sequence[PartSummary]) -> str:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.strange_labels)
    if not counts:
        return ""
    if max(part.strange_label_count for part in parts) > MANY_LABELS:
        return (
            f". More than {MANY_LABELS} different labels are not in data.labels: is '{spec.data.columns.label}' "
            "the column of the labels (data.columns.label)?"
        )
    shown = [f"{label[:MAX_LABEL]!r} {rows:,} ×{_nearest(label, spec)}" for label, rows in counts.most_common()]
    near = label_spelling.spellings(counts, spec.data.labels, fold=True)
    fold = "; data.fold_labels: true reads those as one that differ in case or width only" if near else ""
    return f". Labels seen that data.labels lacks: {listing(shown)}{fold}"


def _nearest(label: str, spec: PipelineSpec) -> str:
    by_folded = {name.casefold(): name for name in spec.data.labels}
    near = difflib.get_close_matches(label.strip().casefold(), by_folded, 1)
    return f" (did you mean {by_folded[near[0]]!r}?)" if near else ""


def _remedy(spec: PipelineSpec, parts: Sequence[PartSummary], across: Sequence[ValidationFinding], report: Path) -> str:
    broken = {finding.column for finding in across if _stops(finding)}
    ways = ["Mend the rows in the source"]
    if "share" in broken:
        ways.append("raise data.max_quarantined if that share is no surprise")
        at_odds = any("has another" in finding.fault for finding in reasons(parts))
        if at_odds and spec.data.contradictions == "set_aside":
            ways.append("say which of rows that contradict each other count (data.contradictions: newest or majority)")
    if "rows" in broken:
        ways.append("add rows, or take a label that has too few out of data.labels")
    if any(_stops(finding) for part in parts for finding in part.findings):
        ways.append("give an expectation that is too strict severity: warning, which only sets its rows aside")
    return f"{'; or '.join(ways)}; then run again. The report: {report / 'index.html'}"
