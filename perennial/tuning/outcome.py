"""What a search came to: every trial, and how surely the best one is better than the settings as they are."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core.record import Record
from perennial.records.evaluation import Difference
from perennial.tuning import studies
from perennial.tuning.space import Value
from perennial.tuning.trial_context import TrialContext

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class TrialState(StrEnum):
    """What became of a trial."""

    FINISHED = "finished"
    PRUNED = "pruned"
    """Cut short, because it fell behind the others."""
    FAILED = "failed"
    """Its settings give no model."""


class Tried(Record):
    """One trial."""

    number: int
    """From 1; the numbers of trials that were killed are left out."""
    settings: dict[str, Value]
    state: TrialState
    value: float | None
    """The metric on the validation rows: of the best checkpoint, or when it was cut short."""
    epochs: int
    """After how many it was looked at last."""
    seconds: float
    """That the training took."""
    problem: str | None = None
    """Why there is no model."""


class Tuned(Record):
    """All trials on the same rows, in this search and earlier ones."""

    pipeline: str
    metric: str
    lower_is_better: bool
    rows: int
    """Validation rows, on which each trial was judged."""
    confidence: float
    earlier: int
    """How many of the trials earlier searches had made."""
    trials: tuple[Tried, ...]
    now: Tried
    """The settings of the pipeline as they are."""
    best: Tried
    difference: Difference | None
    """Best minus now; None: they are the same, or `perennial gc` removed the model of one."""
    study: str
    """The file in which it is remembered."""

    @property
    def gain(self) -> float:
        """By how much the best is better; never below 0."""
        change = (self.best.value or 0.0) - (self.now.value or 0.0)
        return -change if self.lower_is_better else change

    @property
    def is_shown(self) -> bool:
        """Whether the whole interval of the difference lies on the better side."""
        if self.difference is None:
            return False
        interval = self.difference.interval
        return interval.high < 0 if self.lower_is_better else interval.low > 0

    @property
    def changes(self) -> Mapping[str, Value]:
        """What would have to be set to others than now."""
        return {name: value for name, value in self.best.settings.items() if value != self.now.settings[name]}


def outcome_of(context: TrialContext, study: Study, earlier: int, path: Path) -> Tuned:
    """What the trials of `study` came to; the settings as they are must be among them."""
    chosen = best_trial(context, study)
    now = studies.trial_with(studies.finished(study), context.now)
    assert chosen is not None and now is not None, "the settings as they are come first"  # noqa: PT018, S101
    return Tuned(
        pipeline=context.spec.name,
        metric=context.metric,
        lower_is_better=context.lower_is_better,
        rows=context.rows,
        confidence=context.spec.evaluation.confidence,
        earlier=earlier,
        trials=tuple(map(_tried, studies.finished_trials(study))),
        now=_tried(now),
        best=_tried(chosen),
        difference=None if chosen.number == now.number else _difference(context, chosen, now),
        study=str(path),
    )


def best_trial(context: TrialContext, study: Study) -> FrozenTrial | None:
    """The best trial so far; None: none has ended."""
    return studies.best_finished(studies.finished(study), context.now, lower_is_better=context.lower_is_better)


def _tried(trial: FrozenTrial) -> Tried:
    problem = trial.user_attrs.get(studies.PROBLEM)
    finished = trial.state.name == "COMPLETE"
    return Tried(
        number=trial.number + 1,
        settings=studies.trial_settings(trial),
        state=TrialState.FAILED if problem else TrialState.FINISHED if finished else TrialState.PRUNED,
        value=None if problem else trial.value,
        epochs=trial.last_step or 0,
        seconds=trial.user_attrs[studies.SECONDS],
        problem=problem,
    )


def _difference(context: TrialContext, chosen: FrozenTrial, now: FrozenTrial) -> Difference | None:
    """`chosen` minus `now`, from what both models answer to each validation row."""
    from perennial.evaluation.comparison import ComparedRows, Rivals
    from perennial.evaluation.judged_rows import independence
    from perennial.training import validation_rows
    from perennial.validation.read_rows import read_split

    models = [context.trained(studies.trial_settings(trial)) for trial in (chosen, now)]
    if None in models:
        return None
    judged = validation_rows.read_validation_rows(context.spec, context.encoded, context.validated, context.home)
    ids = [str(number) for number in range(len(judged.targets))]
    columns = independence.columns(context.spec)
    together = independence.clusters_of_rows(
        context.spec, read_split(context.validated, context.home.store, "validation", columns)
    )
    rows = ComparedRows(judged.kind, judged.labels, ids, judged.targets, context.spec.evaluation, together)
    first, second = (judged.answers(model, context.home) for model in models if model is not None)
    return Rivals(rows, first, second).compare().values.get(context.metric)
