"""From stored answers to every figure: no model is asked anything here, so it can be done again anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perennial import kinds
from perennial.artifacts import Contest, Evaluation, Metrics
from perennial.evaluation.answers import Answers
from perennial.kinds import Kind, Prediction
from perennial.spec import PipelineSpec


def measure(spec: PipelineSpec, answers: Answers, contest: Contest, *, digest: str, place: str) -> Evaluation:
    """Every metric of every model that answered; `digest` and `place` are kept as the evaluation's own."""
    known = contest.champion_labels
    judged = _Judged(kinds.get(spec.kind), spec.data.labels, answers.targets.to_pylist())
    return Evaluation(
        digest=digest,
        candidate=judged.measure(answers.candidate),
        champion=judged.measure_shared(answers.champion, known) if answers.champion else None,
        champion_version=contest.champion_version,
        champion_problem=contest.champion_problem,
        shared=judged.measure_shared(answers.candidate, known) if judged.new(known) else None,
        new_labels=judged.new(known),
        dropped_labels=judged.dropped(known),
        baselines={name: judged.measure(given) for name, given in answers.baselines.items()},
        behaviours=contest.behaviours,
        fairness=contest.fairness,
        serving=contest.serving,
        champion_serving=contest.champion_serving,
        predictions_path=place,
    )


@dataclass(frozen=True)
class _Judged:
    """Test rows' targets, and the measures of answers to them."""

    kind: Kind
    labels: tuple[str, ...]
    targets: list[Any]

    def measure(self, answers: Sequence[Prediction]) -> Metrics:
        return self.kind.measure(self.targets, answers, self.labels)

    def measure_shared(self, answers: Sequence[Prediction], others: Sequence[str] | None) -> Metrics:
        """Every metric on the labels that are among `others`, too; None: the same labels."""
        if others is None or set(others) == set(self.labels):
            return self.measure(answers)
        labels = [label for label in self.labels if label in others]
        targets, shared = self.kind.shared(self.targets, answers, labels)
        return self.kind.measure(targets, shared, labels)

    def new(self, others: Sequence[str] | None) -> tuple[str, ...]:
        return () if others is None else tuple(label for label in self.labels if label not in others)

    def dropped(self, others: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(label for label in others or () if label not in self.labels)
