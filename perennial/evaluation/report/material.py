"""Everything a report is made from beside the evidence, read from the store: nothing of it is measured here anew."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from perennial import kinds
from perennial.core.home import Home
from perennial.evaluation import label_errors, slices, stored_answers
from perennial.evaluation.behaviours import cases
from perennial.evaluation.behaviours.cases import BehaviourCase
from perennial.evaluation.report import drift
from perennial.evaluation.report.drift import DataDrift
from perennial.kinds.protocols import JudgesAnswers
from perennial.metrics import calibration
from perennial.metrics.calibration import Bin
from perennial.records.data import ValidatedData
from perennial.records.run import Evidence
from perennial.rows.columns import ROW_ID, TIME
from perennial.settings.pipeline import PipelineSpec
from perennial.training import train_run
from perennial.validation import validation_report
from perennial.validation.read_rows import read_split

MOST_DOUBTS = 20


@dataclass(frozen=True)
class Material:
    """What a page shows. What can't be had (a version that was made elsewhere) is empty, and the page says so."""

    spec: PipelineSpec
    evidence: Evidence
    reliability: Mapping[str, Sequence[Bin]] = field(default_factory=dict)
    """By model: candidate and champion."""
    history: Sequence[Mapping[str, Any]] = ()
    """The training's log: losses and validation figures by epoch."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Quarantined rows by reason; a row may have several."""
    drift: DataDrift | None = None
    bounds: Mapping[str, str] = field(default_factory=dict)
    """What the slices by length and time hold, in words, by slice."""
    doubts: Sequence[Mapping[str, Any]] = ()
    """The rows whose label the candidate contradicts most: row_id, given, suggested, score; no text."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Of test rows, by row id; empty unless report.show_texts."""
    cases: Mapping[str, str] = field(default_factory=dict)
    """Of failing behavioural cases, by their id; empty unless report.show_texts."""
    made: datetime | None = None


def gather(spec: PipelineSpec, evidence: Evidence, home: Home) -> Material:
    """What the store has for the report of this run."""
    return Material(
        spec=spec,
        evidence=evidence,
        reliability=_reliability(kinds.kind_named(spec.kind), evidence, home),
        history=_history(evidence, home),
        set_aside=_set_aside(evidence, home),
        drift=drift.data_drift(spec, evidence, home.store),
        bounds=_bounds(spec, evidence, home),
        doubts=_doubts(evidence, home),
        texts=_texts(spec, evidence, home) if spec.report.show_texts else {},
        cases=_cases(spec, evidence) if spec.report.show_texts else {},
        made=datetime.now(UTC),
    )


def _reliability(kind: JudgesAnswers, evidence: Evidence, home: Home) -> dict[str, tuple[Bin, ...]]:
    predictions = home.store.root / evidence.evaluation.predictions_path
    if not predictions.is_file():
        return {}
    answers = stored_answers.read_answers(predictions.parent)
    targets = answers.targets.to_pylist()
    models = {stored_answers.CANDIDATE: answers.candidate, stored_answers.CHAMPION: answers.champion}
    bins = {name: calibration.reliability(*kind.scored(targets, given)) for name, given in models.items() if given}
    return {name: bins for name, bins in bins.items() if bins}


def _history(evidence: Evidence, home: Home) -> list[Mapping[str, Any]]:
    path = home.store.root / evidence.trained.path / train_run.RECORD
    return list(json.loads(path.read_bytes())["history"]) if path.is_file() else []


def _set_aside(evidence: Evidence, home: Home) -> dict[str, int]:
    path = home.store.root / evidence.validated.report_path / validation_report.JSON
    return dict(json.loads(path.read_bytes()).get("quarantined_by_reason", {})) if path.is_file() else {}


def _bounds(spec: PipelineSpec, evidence: Evidence, home: Home) -> dict[str, str]:
    if not evidence.evaluation.slices or not _is_here(evidence.judged, home):
        return {}
    columns = [TIME, *kinds.kind_named(spec.kind).text_columns]
    return slices.bounds(spec, read_split(evidence.judged, home.store, "test", columns))


def _doubts(evidence: Evidence, home: Home) -> list[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    path = (home.store.root / evidence.evaluation.predictions_path).with_name(label_errors.FILE)
    return list(pq.read_table(path).slice(0, MOST_DOUBTS).to_pylist()) if path.is_file() else []


def _texts(spec: PipelineSpec, evidence: Evidence, home: Home) -> dict[str, str]:
    comparison = evidence.evaluation.comparison
    wanted = set(comparison.worst if comparison else ())
    if not wanted or not _is_here(evidence.judged, home):
        return {}
    columns = kinds.kind_named(spec.kind).text_columns
    rows = read_split(evidence.judged, home.store, "test", [ROW_ID, *columns]).to_pylist()
    return {row[ROW_ID]: _joined(row[name] for name in columns) for row in rows if row[ROW_ID] in wanted}


def _cases(spec: PipelineSpec, evidence: Evidence) -> dict[str, str]:
    wanted = {name for test in evidence.evaluation.behaviours for name in test.failing}
    if not wanted:
        return {}
    return {case.id: _shown(case) for made in cases.cases_of(spec).values() for case in made if case.id in wanted}


def _shown(case: BehaviourCase) -> str:
    return _joined(case.texts) if case.before is None else f"{_joined(case.before)} → {_joined(case.texts)}"


def _is_here(data: ValidatedData, home: Home) -> bool:
    return all((home.store.root / part.path).is_file() for part in data.parts)


def _joined(texts: Iterable[str | None]) -> str:
    return " ⏐ ".join(text or "" for text in texts)
