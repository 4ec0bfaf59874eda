"""From stored answers to every figure: no model is asked anything here, so it can be done again anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perennial import kinds
from perennial.core import progress
from perennial.evaluation import slices
from perennial.evaluation.comparison import ComparedRows, Rivals, Sums
from perennial.evaluation.stored_answers import Answers
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import AnchorFigures, Evaluation, EvaluationContext, Metrics, SliceFigures
from perennial.settings.pipeline import PipelineSpec


def evaluation_of(
    spec: PipelineSpec, answers: Answers, context: EvaluationContext, *, digest: str, predictions_path: str
) -> Evaluation:
    """Every metric of every model that answered; `digest` and `predictions_path` are the evaluation's own."""
    champion_labels = context.champion_labels
    kind, labels = kinds.kind_named(spec.kind), spec.data.labels
    rows = ComparedRows(kind, labels, answers.row_ids, answers.targets.to_pylist(), spec.evaluation, answers.clusters)
    candidate = Sums.of(rows, rows.metric_sums(answers.candidate))
    new, dropped = _new(labels, champion_labels), tuple(label for label in champion_labels or () if label not in labels)
    duel = _duel(rows, answers.candidate, answers.champion, champion_labels) if answers.champion is not None else None
    progress.advance(0, None, detail="intervals")
    return Evaluation(
        digest=digest,
        candidate=candidate.with_intervals(rows.measure(answers.candidate)),
        champion=duel.measured(duel.rivals.champion) if duel else None,
        champion_version=context.champion_version,
        champion_problem=context.champion_problem,
        shared=duel.measured(duel.rivals.candidate) if duel and new else None,
        new_labels=new,
        dropped_labels=dropped,
        baselines={name: rows.measure(given) for name, given in answers.baselines.items()},
        comparison=duel.rivals.compare() if duel else None,
        slices=tuple(_slices(spec, answers, candidate, duel)),
        behaviours=context.behaviours,
        champion_behaviours=context.champion_behaviours,
        fairness=context.fairness,
        serving=context.serving,
        champion_serving=context.champion_serving,
        cases=context.cases,
        agreement=context.agreement,
        near_copies=context.near_copies,
        lost_ends=context.lost_ends,
        faithfulness=context.faithfulness,
        anchor=_beside_anchor(rows, answers, context, duel) if context.anchor else None,
        predictions_path=predictions_path,
    )


@dataclass(frozen=True)
class _Duel:
    """Candidate and champion on what both know."""

    rivals: Rivals
    kept: np.ndarray
    """Which of all rows these are (bool)."""
    champion: Sums

    def measured(self, answers: Sequence[Prediction]) -> Metrics:
        rows = self.rivals.rows
        sums = self.champion if answers is self.rivals.champion else Sums.of(rows, rows.metric_sums(answers))
        return sums.with_intervals(rows.measure(answers))


def _beside_anchor(
    rows: ComparedRows, answers: Answers, context: EvaluationContext, duel: _Duel | None
) -> AnchorFigures | None:
    """The candidate beside the anchor, which may be the champion: then it is not measured twice."""
    asked = context.anchor
    if asked is None:
        return None
    if answers.anchor is not None:
        duel = _duel(rows, answers.candidate, answers.anchor, asked.labels)
    elif asked.version != context.champion_version:
        duel = None
    figures = AnchorFigures(version=asked.version, problem=asked.problem, stands_for=asked.stands_for)
    if duel is None or asked.problem is not None:
        return figures
    shared = bool(_new(rows.labels, asked.labels))
    changes = {
        "metrics": duel.measured(duel.rivals.champion),
        "candidate": duel.measured(duel.rivals.candidate) if shared else None,
        "comparison": duel.rivals.compare(),
    }
    return figures.model_copy(update=changes)


def _duel(
    rows: ComparedRows,
    candidate: Sequence[Prediction],
    champion: Sequence[Prediction],
    champion_labels: Sequence[str] | None,
) -> _Duel:
    if champion_labels is None or set(champion_labels) == set(rows.labels):
        kept, ours, theirs = np.ones(len(rows.targets), bool), candidate, champion
    else:
        labels = tuple(label for label in rows.labels if label in champion_labels)
        targets, ours = rows.kind.shared(rows.targets, candidate, labels)
        _, theirs = rows.kind.shared(rows.targets, champion, labels)
        pairs = zip(rows.targets, candidate, strict=True)
        kept = np.array([bool(rows.kind.shared([target], [one], labels)[0]) for target, one in pairs], bool)
        ids = [row for row, there in zip(rows.ids, kept, strict=True) if there]
        together = rows.clusters.inside(kept) if rows.clusters else None
        rows = replace(rows, labels=labels, ids=ids, targets=targets, clusters=together)
    return _Duel(Rivals(rows, ours, theirs), kept, Sums.of(rows, rows.metric_sums(theirs)))


def _slices(spec: PipelineSpec, answers: Answers, candidate: Sums, duel: _Duel | None) -> Iterator[SliceFigures]:
    for number, (name, inside) in enumerate(answers.slices.items()):
        progress.advance(number, len(answers.slices), unit="slice", detail="intervals")
        both = inside[duel.kept] if duel else None
        yield SliceFigures(
            name=name,
            by=slices.slice_dimension(spec, name),
            candidate=candidate.metrics(inside),
            champion=duel.champion.metrics(both) if duel and both is not None else None,
            comparison=duel.rivals.compare_inside(both) if duel and both is not None else None,
        )


def _new(labels: Sequence[str], champion_labels: Sequence[str] | None) -> tuple[str, ...]:
    return () if champion_labels is None else tuple(label for label in labels if label not in champion_labels)
