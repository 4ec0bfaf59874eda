"""A decision made again from what the models answered: no model is asked, and no text is needed."""

from dataclasses import replace
from pathlib import Path

from perennial.core import digest
from perennial.core.errors import SpecError
from perennial.evaluation import from_answers, gates
from perennial.evaluation import stored_answers as stored
from perennial.evaluation.stored_answers import Answers
from perennial.records.decision import Decision
from perennial.records.evaluation import Contest, Evaluation
from perennial.settings.pipeline import PipelineSpec


def again(spec: PipelineSpec, folder: Path, found: Evaluation | None = None) -> Decision:
    """The decision on the answers in `folder`, by the gates of `spec`.

    `found`: the evaluation that the first decision rested on, which says beside which champion. Raises SpecError when
    the files are not there.
    """
    if missing := [name for name in (stored.PREDICTIONS, stored.CONTEST) if not (folder / name).is_file()]:
        raise SpecError(
            f"{folder} has no {missing[0]}: it is no folder with the answers of a run.",
            remedy=f"The step `evaluate` keeps them in the store, and MLflow beside the run, as {stored.PREDICTIONS} "
            f"and {stored.CONTEST}.",
        )
    given, contest = stored.read(folder), stored.read_contest(folder)
    if found is not None:
        given, contest = _beside(found, given, contest)
    names = (stored.PREDICTIONS, stored.CONTEST)
    known = found.digest if found else digest.of_values(**{name: digest.of_file(folder / name) for name in names})
    return gates.decide(spec, from_answers.measure(spec, given, contest, digest=known, place=str(folder)))


def _beside(found: Evaluation, given: Answers, contest: Contest) -> tuple[Answers, Contest]:
    """The answers as `found` took them: a version that was copied may have met another champion, or none."""
    changes: dict[str, object] = {
        "champion_version": found.champion_version,
        "champion_problem": found.champion_problem,
    }
    if found.champion is None:
        given = replace(given, champion=None)
        changes |= {"champion_labels": None, "champion_serving": None, "champion_behaviours": ()}
    return given, contest.model_copy(update=changes)
