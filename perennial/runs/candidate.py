"""The one chain of steps from a snapshot to a decision: a run goes through it, and so does `perennial reproduce`.

What differs between the two is handed in: a run's steps are Prefect tasks, those that make a version again are plain
functions that already know the champion and the starting point. So neither can have a step that the other lacks.
"""

from collections.abc import Callable
from dataclasses import dataclass

from perennial.core import libraries
from perennial.core.home import Home
from perennial.records.data import EncodedData, Snapshot, ValidatedData
from perennial.records.decision import Decision
from perennial.records.evaluation import Evaluation
from perennial.records.package import Anchor, Champion, OnnxPackage
from perennial.records.run import Evidence, Trigger
from perennial.records.training import StartingPoint, TrainedModel
from perennial.settings.export import CascadeSpec, StudentSpec
from perennial.settings.pipeline import PipelineSpec

BY_HAND = Trigger()


@dataclass(frozen=True, kw_only=True)
class CandidateSteps:
    """What is called in each step, in the order of the chain; none has a default, so none can be forgotten."""

    validate: Callable[[PipelineSpec, Snapshot, Home], ValidatedData]
    encode: Callable[[PipelineSpec, ValidatedData, Home], EncodedData]
    find_champion: Callable[[PipelineSpec, Home], Champion | None]
    """The version to be judged against."""
    find_anchor: Callable[[PipelineSpec, Champion | None, Home], Anchor | None]
    """The best champion of some time, to be judged against as well."""
    say_power: Callable[[PipelineSpec, ValidatedData, Champion | None, Home], None]
    """Tells what the gates can decide with these rows, before anything is trained."""
    find_start: Callable[[PipelineSpec, Champion | None, Home], StartingPoint | None]
    finetune: Callable[[PipelineSpec, EncodedData, ValidatedData, Home, StartingPoint | None], TrainedModel]
    distill: Callable[
        [PipelineSpec, StudentSpec, TrainedModel, EncodedData, ValidatedData, Home, StartingPoint | None], TrainedModel
    ]
    """Left out where export.student is not set."""
    export: Callable[[PipelineSpec, TrainedModel, ValidatedData, Home], OnnxPackage]
    cascade: Callable[[PipelineSpec, CascadeSpec, OnnxPackage, EncodedData, ValidatedData, Home], OnnxPackage]
    """Left out where export.cascade is not set."""
    evaluate: Callable[[PipelineSpec, OnnxPackage, ValidatedData, Champion | None, Anchor | None, Home], Evaluation]
    count_look: Callable[
        [PipelineSpec, Evaluation, OnnxPackage, ValidatedData, Champion | None, Anchor | None, Home], Evaluation
    ]
    """Before anybody decides by what was measured."""
    decide: Callable[[PipelineSpec, Evaluation], Decision]


def build_candidate(
    spec: PipelineSpec,
    snapshot: Snapshot,
    home: Home,
    steps: CandidateSteps,
    seconds: dict[str, float],
    trigger: Trigger = BY_HAND,
) -> Evidence:
    """From the rows of `snapshot` to a judged package, by `steps`; raises what a step raises.

    `seconds`: what `progress.timed` gave, filled in as the steps go.
    """
    validated = steps.validate(spec, snapshot, home)
    encoded = steps.encode(spec, validated, home)
    champion = steps.find_champion(spec, home)
    anchor = steps.find_anchor(spec, champion, home)
    steps.say_power(spec, validated, champion, home)
    start = steps.find_start(spec, champion, home)
    trained = steps.finetune(spec, encoded, validated, home, start)
    if spec.export.student:
        trained = steps.distill(spec, spec.export.student, trained, encoded, validated, home, start)
    package = steps.export(spec, trained, validated, home)
    if spec.export.cascade:
        package = steps.cascade(spec, spec.export.cascade, package, encoded, validated, home)
    measured = steps.evaluate(spec, package, validated, champion, anchor, home)
    evaluation = steps.count_look(spec, measured, package, validated, champion, anchor, home)
    decision = steps.decide(spec, evaluation)
    return Evidence(
        snapshot=snapshot,
        validated=validated,
        trained=trained,
        package=package,
        evaluation=evaluation,
        decision=decision,
        seconds=seconds,
        libraries=libraries.installed(),
        trigger=trigger,
    )
