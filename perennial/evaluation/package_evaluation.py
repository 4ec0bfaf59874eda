"""Judging the package: candidate, champion and baselines on the same test rows, all scored now."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import PackageError, ValidationError
from perennial.core.home import Home
from perennial.evaluation import (
    asking,
    faithfulness,
    fixed_cases,
    from_answers,
    label_errors,
    serving_cost,
    slices,
    stored_answers,
    worker,
)
from perennial.evaluation.asking import Answerer
from perennial.evaluation.behaviours import behaviour_tests, counterfactuals
from perennial.evaluation.judged_rows import independence, lost_ends, split_overlap
from perennial.evaluation.worker import Pace
from perennial.inference.decoders import Input
from perennial.inference.package import read_package
from perennial.inference.predictor import Predictor
from perennial.kinds.protocols import Kind
from perennial.metrics.prediction import Prediction
from perennial.records.data import ValidatedData, agreement_in
from perennial.records.evaluation import (
    AnchorAsked,
    BehaviourFigures,
    Evaluation,
    EvaluationContext,
    LabelErrors,
    ServingFigures,
)
from perennial.records.package import Anchor, Champion, OnnxPackage
from perennial.rows import splits
from perennial.rows.columns import ROW_ID, TEXT_KEY, TIME
from perennial.settings.data import BY_TEXT
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.read_rows import read_split

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "evaluate"
# Part of the key: raise it when the code of this step measures something else.
RECIPE = 10
# Part of the run's key: raise it when versions that are registered have to be judged anew.
RUN_RECIPE = 7
LIBRARIES = ("cleanlab", "scikit-learn", "tokenizers")


def evaluate(
    spec: PipelineSpec,
    package: OnnxPackage,
    data: ValidatedData,
    champion: Champion | None,
    home: Home,
    anchor: Anchor | None = None,
) -> Evaluation:
    """Every metric of `package` on the test split, through the predictor that would serve it.

    The champion's package, the anchor's and the kind's baselines answer the same rows. A champion that can't answer is
    recorded as a problem, which keeps every comparison with it undecided; it never counts as "no champion".
    """
    agreement = agreement_in(data.readings)
    splits_by = spec.data.splits.by
    # Where there is none, or rows are split as they always were, the key is what it was before there were any.
    together = {} if splits_by == BY_TEXT else {"splits_by": splits_by}
    beside = {**({"anchor": anchor} if anchor else {}), **({"agreement": agreement} if agreement else {})}
    key = digest.of_values(
        **beside,
        **together,
        **serving_cost.of_server(spec.serving),
        package=package.digest,
        data=data.digest,
        champion=champion.package_digest if champion else None,
        version=champion.version if champion else None,
        kind=spec.kind,
        labels=spec.data.labels,
        slices=spec.data.columns.slices,
        group=spec.data.columns.group,
        evaluation=spec.evaluation,
        behaviours=spec.behaviours,
        terms={group: counterfactuals.lists(spec, group) for group in spec.evaluation.counterfactuals.groups},
        recipe=RECIPE,
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
    )
    stored_evaluation = home.store.get(STEP, key, Evaluation)
    if stored_evaluation is not None and stored_evaluation.rival_problem is not None:
        # What kept the champion or the anchor from being judged may have been mended.
        home.store.forget(STEP, key)

    def make(folder: Path) -> Evaluation:
        return _evaluate(spec, package, data, champion, anchor, home, key, folder)

    return home.store.get_or_make(STEP, key, Evaluation, make)


def _evaluate(
    spec: PipelineSpec,
    package: OnnxPackage,
    data: ValidatedData,
    champion: Champion | None,
    anchor: Anchor | None,
    home: Home,
    key: str,
    folder: Path,
) -> Evaluation:
    kind = kinds.kind_named(spec.kind)
    columns = list(kind.column_types())
    kept = [ROW_ID, TEXT_KEY, TIME, *columns, *spec.data.columns.kept]
    test = read_split(data, home.store, "test", list(dict.fromkeys(kept)))
    if test.num_rows == 0:
        raise ValidationError("The test split has no rows, so nothing can be judged.", remedy="Add data.")
    inputs = kind.inputs(test)
    predictor = _predictor(home, package.path, package.digest)
    started = time.monotonic()
    candidate = _answers(predictor, inputs, "candidate")
    pace = Pace(time.monotonic() - started, len(inputs), spec.evaluation.champion_slowdown)
    rival = _rival(spec, champion, inputs, pace, home) if champion else _Rival(None)
    bar = _anchor_asked(spec, anchor, champion, rival, inputs, pace, home)
    overlap = split_overlap.measure_overlap(spec, data, test, home)
    progress.advance(0, None, unit="row", detail="baselines")
    train, validation = (read_split(data, home.store, split, columns) for split in ("train", "validation"))
    baselines = kind.baselines(train, test, spec.data.labels)
    stored_answers.write_answers(
        folder,
        stored_answers.Answers(
            row_ids=test[ROW_ID].to_pylist(),
            targets=test[kind.target_column],
            candidate=candidate,
            champion=rival.answers,
            anchor=bar.answers,
            baselines=baselines,
            slices=slices.memberships(spec, test) | overlap.memberships,
            clusters=independence.clusters_of_rows(spec, test),
        ),
        kind,
    )
    served = champion if rival.answers is not None else None
    costs = _costs(kind, package, served, inputs, home, spec.serving.batch_rows)
    context = EvaluationContext(
        champion_version=champion.version if champion else None,
        champion_labels=rival.labels,
        champion_problem=rival.problem,
        behaviours=behaviour_tests.behaviour_figures(
            spec, behaviour_tests.ask_cases(spec, predictor, _heard("case", "behaviours"))
        ),
        champion_behaviours=rival.behaviours,
        fairness=counterfactuals.measure_counterfactuals(spec, test, predictor, _heard("row", "counterfactuals")),
        serving=costs["candidate"],
        champion_serving=costs.get("champion"),
        cases=fixed_cases.answer_fixed_cases(spec, predictor),
        agreement=agreement_in(data.readings),
        near_copies=overlap.counted,
        faithfulness=faithfulness.measure_faithfulness(
            predictor, inputs, test[TEXT_KEY].to_pylist(), spec.evaluation.confidence, _heard("row", "explanations")
        ),
        anchor=bar.asked,
        lost_ends=lost_ends.measure_lost_ends(
            spec.kind,
            home.store.root / package.path,
            {"train": kind.inputs(train), "validation": kind.inputs(validation), "test": inputs},
        ),
    )
    stored_answers.write_context(folder, context)
    predictions_path = home.store.relative(home.store.folder(STEP, key) / stored_answers.PREDICTIONS)
    evaluation = from_answers.evaluation_of(
        spec, stored_answers.read_answers(folder), context, digest=key, predictions_path=predictions_path
    )
    doubted = _label_errors(spec, data, test, candidate, predictor, home, folder)
    return evaluation.model_copy(update={"label_errors": doubted})


def _label_errors(
    spec: PipelineSpec,
    data: ValidatedData,
    test: pa.Table,
    candidate: Sequence[Prediction],
    predictor: Predictor,
    home: Home,
    folder: Path,
) -> LabelErrors:
    """Labels that the candidate contradicts, on all rows that it did not learn."""
    import pyarrow as pa

    kind = kinds.kind_named(spec.kind)
    columns = [ROW_ID, *kind.column_types()]
    test = test.select(columns)
    validation = read_split(data, home.store, "validation", columns)
    heard = _heard("row", "label errors")
    if kind.doubts_need_details:
        rows = pa.concat_tables([test, validation])
        answers = asking.ask_rows(predictor.predict_with_details, kind.inputs(rows), heard)
        return label_errors.find_label_errors(spec, rows, answers, folder)
    more = asking.ask_rows(predictor.predict, kind.inputs(validation), heard)
    return label_errors.find_label_errors(spec, pa.concat_tables([test, validation]), [*candidate, *more], folder)


@dataclass(frozen=True)
class _Rival:
    """The champion, asked what the candidate was asked."""

    problem: str | None
    """Why it could not be judged."""
    answers: list[Prediction] | None = None
    """To the test rows."""
    labels: tuple[str, ...] | None = None
    """Those it knows; None: it could not be loaded."""
    behaviours: tuple[BehaviourFigures, ...] = ()


@dataclass(frozen=True)
class _Bar:
    """The anchor, asked what the candidate was asked."""

    asked: AnchorAsked | None = None
    answers: list[Prediction] | None = None
    """To the test rows; None: there is none, it could not answer, or it is the champion."""


def _anchor_asked(
    spec: PipelineSpec,
    anchor: Anchor | None,
    champion: Champion | None,
    rival: _Rival,
    inputs: Sequence[Input],
    pace: Pace,
    home: Home,
) -> _Bar:
    if anchor is None:
        return _Bar()
    asked = AnchorAsked(version=anchor.version, problem=anchor.problem, stands_for=anchor.stands_for)
    if anchor.package is None:
        return _Bar(asked)
    if champion is not None and anchor.version == champion.version:
        return _Bar(asked.model_copy(update={"labels": rival.labels, "problem": rival.problem}))
    answered = _rival(spec, anchor.package, inputs, pace, home, "anchor")
    return _Bar(asked.model_copy(update={"labels": answered.labels, "problem": answered.problem}), answered.answers)


def _rival(
    spec: PipelineSpec, champion: Champion, inputs: Sequence[Input], pace: Pace, home: Home, who: str = "champion"
) -> _Rival:
    if champion.splits not in {None, splits.fingerprint(spec.data)}:
        return _Rival("it was trained with other data.splits, so it may have learned from rows it would be judged on.")
    folder = home.store.root / champion.path
    try:
        package = read_package(folder, digest=champion.package_digest)
        if package.kind != spec.kind:
            return _Rival(f"it is of another kind of task, {package.kind}; give this pipeline another name.")
        with worker.answering_worker(folder, pace) as asked:
            answers = _answers(asked, inputs, who)
            if who != "champion":
                return _Rival(None, answers, package.labels)
            behaved = behaviour_tests.ask_cases(spec, asked, _heard("case", "champion's behaviours"))
        return _Rival(None, answers, package.labels, behaviour_tests.behaviour_figures(spec, behaved))
    except PackageError as error:
        return _Rival(str(error))


def _costs(
    kind: Kind, package: OnnxPackage, champion: Champion | None, inputs: Sequence[Input], home: Home, batch_rows: int
) -> dict[str, ServingFigures | None]:
    paths = {"candidate": package.path} | ({"champion": champion.path} if champion else {})
    folders = {who: home.store.root / path for who, path in paths.items()}
    return serving_cost.measure_serving(folders, inputs, kind, batch_rows)


def _predictor(home: Home, path: str, expected: str) -> Predictor:
    return Predictor(home.store.root / path, digest=expected)


def _answers(predictor: Answerer, inputs: Sequence[Input], who: str) -> list[Prediction]:
    return list(asking.ask_rows(predictor.predict, inputs, _heard("row", who)))


def _heard(unit: str, detail: str) -> asking.Heard:
    def heard(done: int, total: int) -> None:
        progress.advance(done, total, unit=unit, detail=detail)

    return heard
