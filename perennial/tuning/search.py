"""The search: one fine-tuning after another, each with other settings, judged on the validation rows alone."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import TrainingError
from perennial.pipeline_file import edit
from perennial.records.training import TrainedModel
from perennial.training import finetuning, train_run
from perennial.training.callbacks import Stopped
from perennial.tuning import outcome, studies
from perennial.tuning.outcome import Tuned
from perennial.tuning.space import Settings
from perennial.tuning.trial_context import TrialContext

if TYPE_CHECKING:
    from optuna import Study, Trial

ROUNDING = 1e-6
"""Of an epoch's number."""


def search(context: TrialContext, *, trials: int, minutes: float | None = None, seed: int = 42) -> Tuned:
    """Try `trials` settings of training on `context`, or fewer if `minutes` are over, and compare all tried so far.

    The settings as they are come first. A trial that is under way when the time is over is brought to its end. Raises
    TrainingError when the settings as they are give no model, and StoreError or BusyError when the study can't be read.
    """
    context.check()
    path = studies.file(context.home, context.spec.name)
    ends = math.inf if minutes is None else time.monotonic() + 60 * minutes
    with studies.open_studies(path) as storage:
        with progress.step("recall"):
            study = studies.study_of(storage, context.key, lower_is_better=context.lower_is_better)
            earlier = len(studies.finished_trials(study))
            wanted = studies.first(storage, study, context.now, context.space)
            progress.advance(0, None, detail=f"{earlier:,} earlier trials on these rows")
        session = Session(context, study)
        for number in range(trials):
            if number and time.monotonic() >= ends:
                break
            session.attempt(studies.next_trial(study, wanted.pop(0) if wanted else None, context.space, seed))
        return outcome.outcome_of(context, study, earlier, path)


@dataclass
class Session:
    """Trials in one context, whose models are kept as long as they are needed."""

    context: TrialContext
    study: Study
    made: dict[int, str] = field(default_factory=dict)
    """The store's keys of models that were not there before, by the number of the trial."""

    def attempt(self, trial: Trial) -> None:
        """Train with the settings of `trial`, and tell the study what came of it."""
        settings = studies.trial_settings(trial)
        is_now = settings == self.context.now
        listener = TrialListener(self.context.metric, trial, float(settings["epochs"]), to_the_end=is_now)
        with progress.step(f"trial {trial.number + 1}"):
            started = time.monotonic()
            try:
                trained = self._train(trial, settings, listener)
            except Stopped:
                self._give_up(trial, time.monotonic() - started)
                progress.advance(0, None, detail=f"cut short {listener.in_words()}")
            except TrainingError as error:
                if is_now:
                    raise
                trial.set_user_attr(studies.PROBLEM, error.problem)
                self._give_up(trial, time.monotonic() - started)
                progress.advance(0, None, detail="no model")
                progress.note(error.problem)
            else:
                self._tell(trial, trained)
        self._forget()

    def _train(self, trial: Trial, settings: Settings, listener: TrialListener) -> TrainedModel:
        key = self.context.key_of(settings)
        if not self.context.home.store.folder(finetuning.STEP, key).exists():
            self.made[trial.number] = key
        trained = self.context.train(settings, listener)
        # What was heard in an earlier process, which was killed.
        for epoch, value in _history(self.context, trained):
            listener.note(epoch, value)
        return trained

    def _give_up(self, trial: Trial, seconds: float) -> None:
        trial.set_user_attr(studies.SECONDS, round(seconds, 2))
        self.study.tell(trial, state=studies.optuna().trial.TrialState.PRUNED)

    def _tell(self, trial: Trial, trained: TrainedModel) -> None:
        value = trained.validation[self.context.metric]
        trial.set_user_attr(studies.SECONDS, trained.seconds)
        self.study.tell(trial, value)
        best = self._best()
        leads = ", best so far" if best is not None and best == trial.number else ""
        progress.advance(0, None, detail=f"{self.context.metric} {value:.4f}{leads}")

    def _best(self) -> int | None:
        best_trial = outcome.best_trial(self.context, self.study)
        return None if best_trial is None else best_trial.number

    def _forget(self) -> None:
        """Models of a search are many: only that of the best settings, and of those as they are, stay in the store."""
        now = studies.trial_with(studies.finished(self.study), self.context.now)
        kept = {self._best(), now.number if now else None}
        for number in [one for one in self.made if one not in kept]:
            self.context.home.store.forget(finetuning.STEP, self.made.pop(number))


class TrialListener:
    """Tells a trial its figure after each epoch, and ends a training that falls behind the others."""

    def __init__(self, metric: str, trial: Trial, epochs: float, *, to_the_end: bool) -> None:
        """`metric`: what counts. `epochs`: how many there are at most. `to_the_end`: never end it."""
        self.metric, self.trial, self.epochs, self.to_the_end = metric, trial, epochs, to_the_end
        self.heard: dict[int, float] = {}

    def __call__(self, epoch: float, metrics: Mapping[str, float]) -> None:
        """As a training calls it. Raises Stopped."""
        self.note(epoch, metrics[self.metric])
        # After the last epoch there is nothing to save.
        if not self.to_the_end and epoch < self.epochs - ROUNDING and self.trial.should_prune():
            raise Stopped

    def note(self, epoch: float, value: float) -> None:
        """Remember the figure after `epoch`, once."""
        number = math.ceil(epoch - ROUNDING)
        if number not in self.heard:
            self.heard[number] = value
            self.trial.report(value, number)

    def in_words(self) -> str:
        """Where the training is."""
        epoch, value = max(self.heard.items())
        return f"after epoch {epoch} of {edit.scalar(self.epochs)}: {self.metric} {value:.4f}"


def _history(context: TrialContext, trained: TrainedModel) -> Iterator[tuple[float, float]]:
    """The figure after each epoch, as the training's record has it."""
    record = json.loads((context.home.store.root / trained.path / train_run.RECORD).read_bytes())
    for entry in record["history"]:
        value = entry.get(f"eval_{context.metric}")
        if value is not None:
            yield float(entry["epoch"]), float(value)
