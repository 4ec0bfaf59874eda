"""Validation of a snapshot by Great Expectations: bad rows are set aside, broken data stops the run.

Each part is validated once, by itself; what concerns all parts is judged on their figures. Great
Expectations is imported by `perennial.validation.judge` alone, and only when there is something to validate: that takes
seconds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import digest, progress
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import Store
from perennial.ingest import retirements
from perennial.records.data import Part, Retirement, Snapshot, SourceReading, ValidatedData
from perennial.settings.pipeline import PipelineSpec
from perennial.validation import checks, corrections, part_validation, retired_counts, text_index, validation_report
from perennial.validation.corrections import Changes
from perennial.validation.expectations import row_expectations
from perennial.validation.failure import failure
from perennial.validation.findings import PartSummary, ValidationFinding
from perennial.validation.judge import Judge
from perennial.validation.outcomes import ExpectationOutcome, broken_groups
from perennial.validation.retired_counts import RetiredCounts
from perennial.validation.text_index import Earlier

if TYPE_CHECKING:
    pass

REPORT_STEP = "validation-report"
REPORT = "report"
FORMAT = 1
"""Of what is stored; a new number validates everything again."""


class ValidationReport(Record):
    """What the validation of a snapshot came to, whether it passed or not."""

    data: ValidatedData
    across: tuple[ValidationFinding, ...]
    """Findings on the figures of all parts."""
    passed: bool


def validate(spec: PipelineSpec, snapshot: Snapshot, home: Home) -> ValidatedData:
    """The rows of `snapshot` that may be trained and judged on; only parts not validated before are read.

    What data.corrections say of a row replaces its label first. Raises ValidationError when an expectation of severity
    critical is not met or too many rows are quarantined, SourceError when a correction can't be read, and SpecError
    when an expectation of the pipeline is none of Great Expectations', or can't be evaluated.
    """
    store, judge = home.store, Judge(spec)
    corrected = corrections.corrections_of(spec, snapshot, store)
    changes = corrected.by_part
    keys = _part_keys(spec, snapshot, changes)
    parts: list[PartSummary] = []
    for number, (part, key, own) in enumerate(zip(snapshot.parts, keys, changes, strict=True)):
        progress.advance(number, len(keys), unit="parts", detail=f"{part.rows:,} rows")
        parts.append(_part(judge, part, own, key, lambda: _earlier(snapshot, keys, parts, home), store))
    progress.advance(len(keys), len(keys), unit="parts")
    report = _report(judge, parts, keys, corrected.warnings, snapshot.retired, store)
    report = _with_readings(report, snapshot.readings, store)
    problem = failure(spec, parts, report.across, store.root, store.root / report.data.report_path)
    if problem is not None:
        raise problem
    return report.data


def _earlier(snapshot: Snapshot, keys: Sequence[str], parts: Sequence[PartSummary], home: Home) -> Earlier:
    """What the part after `parts` is compared with."""
    store = home.store
    return Earlier(
        keys=keys[: len(parts)],
        files=[store.root / summary.checked.path for summary in parts],
        retired=[one for one in snapshot.retired if one.hits and one.before <= len(parts)],
        root=store.root,
        index=home.state(snapshot.pipeline) / text_index.NAME,
        scratch=home.root / "tmp",
        superseded=[part.superseded for part in parts if part.superseded],
    )


def _with_superseded(retired: Sequence[Retirement], parts: Sequence[PartSummary]) -> tuple[Retirement, ...]:
    """What a source said of older rows, and what rows of later parts were put before, in the order they count in."""
    superseded = [part.superseded for part in parts if part.superseded]
    # What a part takes out is known before a source says more.
    return tuple(sorted((*superseded, *retired), key=lambda one: one.before)) if superseded else tuple(retired)


def _part_keys(spec: PipelineSpec, snapshot: Snapshot, changes: Sequence[Changes]) -> list[str]:
    settings = digest.of_values(
        kind=spec.kind,
        labels=spec.data.labels,
        **({"fold_labels": True} if spec.data.fold_labels else {}),
        expected=[[one.spec, one.origin] for one in row_expectations(spec)],
        versions=_versions(),
        format=FORMAT,
        **({"contradictions": spec.data.contradictions} if spec.data.contradictions != "set_aside" else {}),
    )
    keys: list[str] = []
    for number, (part, own) in enumerate(zip(snapshot.parts, changes, strict=True)):
        corrected = {"corrections": own} if own else {}
        gone = retirements.retired_at(snapshot.retired, number)
        retired = {"retired": gone} if gone else {}
        # A part's rows may contradict rows of the parts before it that still count, so its key holds theirs.
        keys.append(digest.of_values(before=keys[-1] if keys else settings, part=part.sha256, **corrected, **retired))
    return keys


def _part(
    judge: Judge, part: Part, changes: Changes, key: str, earlier: Callable[[], Earlier], store: Store
) -> PartSummary:
    def make(folder: Path) -> PartSummary:
        return part_validation.validate_part(judge.spec, judge, part, changes, earlier(), key, folder)

    return store.get_or_make(part_validation.STEP, key, PartSummary, make, by_stamp=True)


def _report(
    judge: Judge,
    parts: Sequence[PartSummary],
    keys: Sequence[str],
    remarks: Sequence[str],
    retired: Sequence[Retirement],
    store: Store,
) -> ValidationReport:
    """The report on `parts`; `remarks`: warnings about what is no part."""
    key = _report_key(judge.spec, keys, retired, remarks)

    def make(folder: Path) -> ValidationReport:
        older = _validated_before(judge.spec, keys, retired, remarks, store)
        every = _with_superseded(retired, parts)
        gone = retired_counts.count_retired_rows(judge.spec, parts, keys, every, store)
        across, outcomes = _across(judge, parts, older, gone)
        path = f"{REPORT_STEP}/{key}/{REPORT}"
        data = _data(judge.spec, parts, every, gone, (*remarks, *_warnings(parts, across, older)), path)
        pages = [store.folder(part_validation.STEP, part) / part_validation.PAGE for part in keys]
        page = judge.page("all parts", outcomes)
        validation_report.write_validation_report(folder / REPORT, data, parts, across, pages, page, _versions())
        passed = failure(judge.spec, parts, across, store.root, folder) is None
        return ValidationReport(data=data, across=across, passed=passed)

    return store.get_or_make(REPORT_STEP, key, ValidationReport, make)


def _with_readings(report: ValidationReport, readings: tuple[SourceReading, ...], store: Store) -> ValidationReport:
    """The report with what became of annotation tools' exports, under a key of its own: how rows were read can change
    without a change of the rows."""
    if not readings:
        return report
    key = digest.of_values(report=report.data.report_path, readings=readings)

    def make(folder: Path) -> ValidationReport:
        path = f"{REPORT_STEP}/{key}/{REPORT}"
        shutil.copytree(store.root / report.data.report_path, folder / REPORT)
        validation_report.add_readings(folder / REPORT, readings)
        data = report.data.model_copy(update={"readings": readings, "report_path": path})
        return report.model_copy(update={"data": data})

    return store.get_or_make(REPORT_STEP, key, ValidationReport, make)


def _report_key(spec: PipelineSpec, keys: Sequence[str], retired: Sequence[Retirement], remarks: Sequence[str]) -> str:
    limits = ("min_rows", "min_rows_per_label", "max_quarantined", "max_label_shift", "labels")
    # What was retired before the last part came is in its key.
    since = retirements.retired_at(retired, len(keys))
    return digest.of_values(
        parts=keys[-1] if keys else "",
        limits={name: getattr(spec.data, name) for name in limits},
        **({"retired": since} if since else {}),
        **({"told": remarks} if remarks else {}),
    )


def _validated_before(
    spec: PipelineSpec, keys: Sequence[str], retired: Sequence[Retirement], remarks: Sequence[str], store: Store
) -> int:
    """How many leading parts an earlier run validated and let pass; the parts after them are new."""
    now = _report_key(spec, keys, retired, remarks)
    for count in range(len(keys), 0, -1):
        before = [one for one in retired if one.before < count]
        # What is no part may have been warned of then, too, or not.
        for remarks_then in dict.fromkeys((tuple(remarks), ())):
            key = _report_key(spec, keys[:count], before, remarks_then)
            report = store.get(REPORT_STEP, key, ValidationReport, by_stamp=True) if key != now else None
            if report is not None and report.passed:
                return count
    return 0


def _across(
    judge: Judge, parts: Sequence[PartSummary], older: int, gone: RetiredCounts
) -> tuple[tuple[ValidationFinding, ...], list[ExpectationOutcome]]:
    import pandas as pd

    findings: list[ValidationFinding] = []
    outcomes: list[ExpectationOutcome] = []
    for figures in checks.across_parts(judge.spec, parts, older, gone):
        index = list(figures.index)
        judged = judge.outcomes(pd.DataFrame(figures.rows), figures.expected, index, figures.name)
        outcomes += judged
        findings += [
            outcome.finding(len(figures.rows), observed=broken_groups(outcome, figures.rows, index, figures.value))
            for outcome in judged
        ]
    return tuple(findings), outcomes


def _data(
    spec: PipelineSpec,
    parts: Sequence[PartSummary],
    retired: Sequence[Retirement],
    gone: RetiredCounts,
    warned: Sequence[str],
    report_path: str,
) -> ValidatedData:
    return ValidatedData(
        digest=retirements.digest_of_parts([part.checked.sha256 for part in parts], retired),
        parts=tuple(part.checked for part in parts),
        retired=tuple(one for one in retired if one.hits),
        rows=checks.rows_per_split(parts, gone),
        label_rows=checks.rows_per_label(spec, parts, gone),
        quarantined=sum(part.checked.quarantined for part in parts),
        outvoted=sum(part.checked.outvoted for part in parts),
        superseded=sum(retirements.retired_rows([part.superseded]) for part in parts if part.superseded),
        warnings=tuple(warned),
        report_path=report_path,
    )


def _warnings(parts: Sequence[PartSummary], across: Sequence[ValidationFinding], older: int) -> Iterator[str]:
    for number, part in enumerate(parts[older:], older + 1):
        yield from (f"In part {number}, {remark}." for remark in part.remarks)
        for finding in part.findings:
            if finding.severity == "warning" and not finding.success and not finding.row_level:
                observed = f"; seen: {finding.observed}" if finding.observed else ""
                yield f"In part {number}, {finding.fault} ({finding.origin}){observed}."
    for finding in across:
        if finding.severity == "warning" and not finding.success:
            yield f"{finding.fault[0].upper()}{finding.fault[1:]} ({finding.observed})."


def _versions() -> dict[str, str]:
    # From the package's metadata: asking Great Expectations itself would import it.
    return {"great_expectations": version("great_expectations")}
