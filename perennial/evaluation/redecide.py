"""A decision made again from what the models answered: no model is asked, and no text is needed."""

from dataclasses import replace
from pathlib import Path

from perennial.core import digest
from perennial.core.errors import SpecError
from perennial.evaluation import from_answers, gates, stored_answers
from perennial.evaluation.stored_answers import Answers
from perennial.records.decision import Decision
from perennial.records.evaluation import Evaluation, EvaluationContext
from perennial.settings.pipeline import PipelineSpec


def redecide(spec: PipelineSpec, folder: Path, evaluation: Evaluation | None = None) -> Decision:
    """The decision on the answers in `folder`, by the gates of `spec`.

    `evaluation`: the evaluation that the first decision rested on, which says beside which champion. Raises SpecError
    when the files are not there.
    """
    if missing := [
        name for name in (stored_answers.PREDICTIONS, stored_answers.CONTEXT) if not (folder / name).is_file()
    ]:
        raise SpecError(
            f"{folder} has no {missing[0]}: it is no folder with the answers of a run.",
            remedy=f"The step `evaluate` keeps them in the store, and MLflow beside the run, as "
            f"{stored_answers.PREDICTIONS} and {stored_answers.CONTEXT}.",
        )
    given, context = stored_answers.read_answers(folder), stored_answers.read_context(folder)
    if evaluation is not None:
        given, context = _beside(evaluation, given, context)
    names = (stored_answers.PREDICTIONS, stored_answers.CONTEXT)
    answers_digest = (
        evaluation.digest if evaluation else digest.of_values(**{name: digest.of_file(folder / name) for name in names})
    )
    measured = from_answers.evaluation_of(spec, given, context, digest=answers_digest, predictions_path=str(folder))
    # What the look at these rows might err with then; looking again tells nothing new.
    look = evaluation.look if evaluation else None
    return gates.decide(spec, measured.model_copy(update={"look": look}))


def _beside(evaluation: Evaluation, given: Answers, context: EvaluationContext) -> tuple[Answers, EvaluationContext]:
    """The answers as `evaluation` took them: a version that was copied may have met another champion, or none."""
    changes: dict[str, object] = {
        "champion_version": evaluation.champion_version,
        "champion_problem": evaluation.champion_problem,
    }
    if evaluation.champion is None:
        given = replace(given, champion=None)
        changes |= {"champion_labels": None, "champion_serving": None, "champion_behaviours": ()}
    if evaluation.anchor is None:
        given, changes = replace(given, anchor=None), changes | {"anchor": None}
    elif context.anchor is not None:
        kept = {name: getattr(evaluation.anchor, name) for name in ("version", "problem", "stands_for")}
        changes["anchor"] = context.anchor.model_copy(update=kept)
    return given, context.model_copy(update=changes)
