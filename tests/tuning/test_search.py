"""The search: what comes first, what is best, what is cut short, and what a later search knows of an earlier one."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from tuning_helpers import MakeContext, killed, prepare

from perennial.core.errors import TrainingError, ValidationError
from perennial.records.training import TrainedModel
from perennial.training import finetuning
from perennial.training.callbacks import AfterEpoch
from perennial.tuning import studies
from perennial.tuning.outcome import TrialState, Tuned
from perennial.tuning.search import search
from perennial.tuning.trial_context import TrialContext


def models(context: TrialContext) -> set[str]:
    return {path.name for path in context.home.store.root.glob(f"{finetuning.STEP}/[!.]*")}


def test_the_settings_as_they_are_come_first_and_the_best_is_no_worse(searched: tuple[TrialContext, Tuned]) -> None:
    context, tuned = searched
    assert tuned.trials[0] == tuned.now
    assert tuned.now.settings == context.now
    assert [one.number for one in tuned.trials] == [1, 2, 3]
    values = [one.value for one in tuned.trials if one.value is not None]
    assert tuned.best.value == max(values) > values[0]
    assert tuned.gain == pytest.approx(max(values) - values[0])
    assert tuned.changes.items() <= tuned.best.settings.items()
    assert tuned.rows == context.validated.rows["validation"] > 10


def test_how_sure_it_is_comes_from_both_models_answers(searched: tuple[TrialContext, Tuned]) -> None:
    _, tuned = searched
    assert tuned.difference is not None
    assert tuned.difference.value == pytest.approx(tuned.gain)
    assert tuned.difference.interval.low < tuned.gain < tuned.difference.interval.high


def test_only_the_models_that_may_be_wanted_stay(searched: tuple[TrialContext, Tuned]) -> None:
    context, tuned = searched
    assert models(context) == {context.key_of(tuned.best.settings), context.key_of(tuned.now.settings)}
    assert not list(context.home.root.glob("checkpoints/*"))
    # A run with the pipeline's settings has nothing to train.
    settings = (context.spec, context.encoded, context.validated, context.home)
    assert finetuning.finetune(*settings).validation[tuned.metric] == tuned.now.value


def test_a_second_search_goes_on_as_one_that_was_not_interrupted(
    make_context: MakeContext, searched: tuple[TrialContext, Tuned]
) -> None:
    context = make_context()
    once = search(context, trials=5, minutes=0)
    assert len(once.trials) == 1
    assert once.best == once.now
    assert once.difference is None
    again = search(context, trials=2)
    assert again.earlier == 1
    assert [one.settings for one in again.trials] == [one.settings for one in searched[1].trials]
    assert [one.value for one in again.trials] == [one.value for one in searched[1].trials]


def test_a_killed_search_leaves_a_study_and_its_trial_is_made_again(
    make_context: MakeContext, searched: tuple[TrialContext, Tuned], tmp_path: Path
) -> None:
    make_context()
    killed(tmp_path / "work")
    tuned = search(prepare(tmp_path / "work"), trials=1)
    assert tuned.earlier == 1
    # The second trial was the one that was killed.
    assert [one.number for one in tuned.trials] == [1, 3]
    assert [one.settings for one in tuned.trials] == [one.settings for one in searched[1].trials[:2]]
    assert tuned.trials[1].value == searched[1].trials[1].value


def test_on_other_rows_a_study_begins_with_the_best_of_the_last(searched: tuple[TrialContext, Tuned]) -> None:
    before, tuned = searched
    context = replace(before, validated=before.validated.model_copy(update={"digest": "0" * 64}))
    assert context.key != before.key
    with studies.open_studies(Path(tuned.study)) as storage:
        study = studies.study_of(storage, context.key, lower_is_better=False)
        assert studies.finished(study) == []
        assert studies.first(storage, study, context.now, context.space) == [context.now, tuned.best.settings]
        same = studies.study_of(storage, before.key, lower_is_better=False)
        assert studies.first(storage, same, before.now, before.space) == []


def test_settings_that_are_tuned_do_not_part_studies_and_others_do(make_context: MakeContext) -> None:
    one = make_context()
    tuned = make_context("tuned", training__epochs=3, training__tokens_per_batch=512)
    other = make_context("other", training__weight_decay=0.1)
    assert one.key == tuned.key != other.key


def with_finished(context: TrialContext, values: Mapping[int, float], trials: int = studies.TO_COMPARE) -> Path:
    """The file of a study in which finished trials had `values` after their epochs."""
    path = studies.file(context.home, context.spec.name)
    with studies.open_studies(path) as storage:
        study = studies.study_of(storage, context.key, lower_is_better=context.lower_is_better)
        for seed in range(trials):
            trial = studies.next_trial(study, None, context.space, seed)
            for epoch, value in values.items():
                trial.report(value, epoch)
            trial.set_user_attr(studies.SECONDS, 1.0)
            study.tell(trial, max(values.values()))
    return path


def test_a_trial_that_falls_behind_costs_its_first_epochs_only(make_context: MakeContext) -> None:
    context = make_context(training__epochs=3)
    path = with_finished(context, {1: 1.0, 2: 1.01, 3: 1.02})
    with studies.open_studies(path) as storage:
        study = studies.study_of(storage, context.key, lower_is_better=False)
        # Left at work, as by a kill: it is tried again.
        studies.next_trial(study, {**context.now, "epochs": 4}, context.space, 1)
    tuned = search(context, trials=2)
    now, pruned = tuned.trials[studies.TO_COMPARE :]
    # The pipeline's own settings are as bad, but the others are compared with them.
    assert (now.state, now.epochs, now) == (TrialState.FINISHED, 3, tuned.now)
    assert (pruned.state, pruned.epochs, pruned.settings["epochs"]) == (TrialState.PRUNED, studies.FIRST_CUT, 4)
    # Nothing of it is kept; nor is there a model of the best here, so it is not known how sure that is.
    assert models(context) == {context.key_of(context.now)}
    assert not list(context.home.root.glob("checkpoints/*"))
    assert tuned.best.number <= studies.TO_COMPARE
    assert (tuned.difference, tuned.is_shown) == (None, False)


def test_settings_that_give_no_model_are_told_and_the_search_goes_on(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, real = make_context(), TrialContext.train

    def diverges(self: TrialContext, settings: Mapping[str, Any], heard: AfterEpoch | None = None) -> TrainedModel:
        if settings != self.now:
            raise TrainingError("Training diverged: the loss was nan.")
        return real(self, settings, heard)

    monkeypatch.setattr(TrialContext, "train", diverges)
    tuned = search(context, trials=2)
    assert [one.state for one in tuned.trials] == [TrialState.FINISHED, TrialState.FAILED]
    assert tuned.trials[1].value is None
    assert tuned.trials[1].problem == "Training diverged: the loss was nan."
    assert tuned.best == tuned.now


def test_a_pipeline_whose_own_settings_give_no_model_is_told_so(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverges(*_: Any) -> TrainedModel:
        raise TrainingError("Training diverged.")

    monkeypatch.setattr(TrialContext, "train", diverges)
    with pytest.raises(TrainingError, match="diverged"):
        search(make_context(), trials=2)


def test_without_validation_rows_nothing_is_chosen(make_context: MakeContext) -> None:
    context = make_context()
    none = context.validated.model_copy(update={"rows": {"train": 10, "validation": 0}})
    with pytest.raises(ValidationError, match=r"None of the rows of tiny is in the validation split.*raise"):
        search(replace(context, validated=none), trials=1)


def test_of_errors_the_lower_is_better(tiny_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [{**row, "label": str(number % 3)} for number, row in enumerate(tiny_pipeline.rows(120))]
    numbers = {"kind": "regression", "data__labels": [], "gates": [{"metric": "r2", "min": -1}], "training__epochs": 1}
    tiny_pipeline.write_pipeline(tmp_path / "tiny", tiny_base, rows, **numbers)
    context = prepare(tmp_path)
    assert "label_smoothing" not in context.space
    assert (context.metric, context.lower_is_better) == ("r2", False)
    monkeypatch.setattr(type(context.kind), "headline_metric", "rmse")
    tuned = search(context, trials=3)
    values = [one.value for one in tuned.trials if one.value is not None]
    assert tuned.lower_is_better
    assert tuned.best.value == min(values) < max(values)
    assert tuned.gain >= 0
    with studies.open_studies(Path(tuned.study)) as storage:
        study = studies.study_of(storage, context.key, lower_is_better=context.lower_is_better)
        assert (study.direction.name, study.best_value) == ("MINIMIZE", tuned.best.value)
