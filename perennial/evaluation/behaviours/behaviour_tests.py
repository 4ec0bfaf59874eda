"""Behavioural tests of a model: its cases are asked, and what it answers is held against what must be so.

After CheckList (Ribeiro et al. 2020): minimum functionality, invariance, and directional expectations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from perennial import kinds
from perennial.evaluation import asking
from perennial.evaluation.asking import Answerer, Heard, Texts
from perennial.evaluation.behaviours import cases
from perennial.evaluation.behaviours.cases import BehaviourCase
from perennial.kinds.protocols import GivesAnswers
from perennial.metrics import share_floors
from perennial.metrics.clusters import Clusters, effective_rows, wilson
from perennial.metrics.prediction import Prediction
from perennial.records.decision import Verdict
from perennial.records.evaluation import BehaviourFigures
from perennial.settings.behaviours import AnyTest, DirectionSpec, InvarianceSpec, MinimumSpec
from perennial.settings.pipeline import PipelineSpec

SHOWN = 20
ROUNDING = 1e-6
DECIMALS = 6
"""Of an effective number that is kept: the last digits of a sum differ between machines."""


@dataclass(frozen=True)
class Asked:
    """A case, what was answered, and whether it passed."""

    case: BehaviourCase
    answer: Prediction
    before: Prediction | None
    """The answer before the texts were changed; None: they were not."""
    passed: bool


def ask_cases(spec: PipelineSpec, predictor: Answerer, heard: Heard | None = None) -> dict[str, list[Asked]]:
    """Every case of every test, by the test's name, answered by `predictor`."""
    cases_by_test = cases.cases_of(spec)
    texts = [
        one for made in cases_by_test.values() for case in made for one in (case.before, case.texts) if one is not None
    ]
    answers = asking.answers(spec, predictor, texts, heard)
    kind = kinds.kind_named(spec.kind)
    return {
        test.name: [_judged(kind, test, case, answers) for case in cases_by_test[test.name]]
        for test in spec.behaviours.tests
    }


def behaviour_figures(spec: PipelineSpec, asked: Mapping[str, Sequence[Asked]]) -> tuple[BehaviourFigures, ...]:
    """What each test came to; no text."""
    return tuple(
        BehaviourFigures(
            name=test.name,
            capability=test.capability,
            type=test.type,
            n=len(asked[test.name]),
            passed=sum(one.passed for one in asked[test.name]),
            min_pass_rate=test.min_pass_rate,
            failing=tuple(one.case.id for one in asked[test.name] if not one.passed)[:SHOWN],
            **independent_cases(
                [one.case.before or one.case.texts for one in asked[test.name]],
                [one.passed for one in asked[test.name]],
                spec,
            ),
        )
        for test in spec.behaviours.tests
    )


def verdict(spec: PipelineSpec, figures: BehaviourFigures) -> Verdict:
    """What a test's pass rate comes to beside its own floor, as `behaviours.undecided` says."""
    if figures.passed >= figures.min_pass_rate * figures.n - ROUNDING:
        return Verdict.PASS
    z = NormalDist().inv_cdf((1 + spec.evaluation.confidence) / 2)
    _, high = wilson(figures.passed, figures.n, figures.effective_n, z)
    open_ = spec.behaviours.undecided == "hold" and not share_floors.is_shown_below(high, figures.min_pass_rate)
    return Verdict.UNDECIDED if open_ else Verdict.FAIL


def independent_cases(texts: Sequence[Texts], hits: Sequence[bool], spec: PipelineSpec) -> dict[str, Any]:
    """The fields that say how many of the cases are of different `texts`; none where all of them are.

    `hits`: of each case, whether it is counted in the share that is looked at.
    """
    if not texts:
        return {}
    together = Clusters.by_values({"text": texts})
    if together.each_alone():
        return {}
    z = NormalDist().inv_cdf((1 + spec.evaluation.confidence) / 2)
    effective = effective_rows(np.array(hits, dtype=bool), together, z)
    return {"clusters": together.count(), "effective_n": round(effective, DECIMALS)}


def _judged(kind: GivesAnswers, test: AnyTest, case: BehaviourCase, answers: Mapping[Texts, Prediction]) -> Asked:
    answer = answers[case.texts]
    before = answers[case.before] if case.before is not None else None
    return Asked(case, answer, before, _passes(kind, test, case, before, answer))


def _passes(
    kind: GivesAnswers, test: AnyTest, case: BehaviourCase, before: Prediction | None, answer: Prediction
) -> bool:
    if isinstance(test, MinimumSpec) or before is None:
        return isinstance(test, MinimumSpec) and kind.meets(test.expect, case.marks, answer)
    match test:
        case InvarianceSpec():
            meant = kind.moved(before, case.edits)
            still = test.tolerance is None or kind.shift(meant, answer) <= test.tolerance + ROUNDING
            return still and kind.same_answer(meant, answer)
        case DirectionSpec():
            risen = kind.degree(answer, test.score) - kind.degree(before, test.score)
            return (risen if test.must == "not rise" else -risen) <= test.tolerance + ROUNDING
