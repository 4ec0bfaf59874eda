"""Sections on behavioural tests and on fairness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from perennial.core.percent import percent
from perennial.evaluation.behaviours import behaviour_tests
from perennial.evaluation.report import charts
from perennial.evaluation.report.blocks import Block, Cell, Section, Table
from perennial.evaluation.report.material import Material
from perennial.evaluation.report.sections.common import without
from perennial.evaluation.report.sections.gates import TONES
from perennial.evaluation.report.wording import NOTHING, share
from perennial.records.decision import Verdict
from perennial.records.evaluation import BehaviourFigures


def behaviours_section(material: Material) -> Section:
    """Behavioural tests."""
    title = "Behaviours"
    tests = material.evidence.evaluation.behaviours
    if not tests:
        return without("behaviours", title, "This pipeline has no behavioural tests.")
    rivals = {test.name: test for test in material.evidence.evaluation.champion_behaviours}
    caption = "Share of the cases of each behavioural test that passed; the upright mark is the least that it asks for"
    caption += ", the diamond the champion's share." if rivals else "."
    head = ("test", "capability", "type", "passed", "of", "rate", *(["champion"] if rivals else []), "needed")
    verdicts = [behaviour_tests.verdict(material.spec, test) for test in tests]
    rows = tuple(_behaviour(test, verdict, rivals) for test, verdict in zip(tests, verdicts, strict=True))
    table = Table(head, rows, words=frozenset({1, 2}), stacked=True)
    chart = charts.behaviour_rates("Pass rates", caption, tests, rivals, verdicts)
    return Section("behaviours", title, (chart, table, *_failing(tests, material.cases)))


def fairness_section(material: Material) -> Section:
    """What swapping names and groups does to the answers."""
    title = "Fairness"
    groups = material.evidence.evaluation.fairness
    if not any(group.n for group in groups):
        return without("fairness", title, "No test row has a name or group that could be swapped for another.")
    caption = (
        "Test rows whose names or groups were swapped for others: how often the answer changed, though it should not."
    )
    head = ("swapped", "rows", "answers changed", "share", "mean shift of the score")
    rows = tuple(
        (group.group, f"{group.n:,}", f"{group.flips:,}", share(group.flips, group.n), f"{group.mean_shift:.4f}")
        for group in groups
    )
    chart = charts.fairness("Answers that changed", caption, [group for group in groups if group.n])
    return Section("fairness", title, (chart, Table(head, rows)))


def _behaviour(
    test: BehaviourFigures, verdict: Verdict, rivals: Mapping[str, BehaviourFigures]
) -> tuple[Cell | str, ...]:
    rate = share(test.passed, test.n) + (", undecided" if verdict is Verdict.UNDECIDED else "")
    own = (test.name, test.capability, test.type, f"{test.passed:,}", f"{test.n:,}")
    rival = rivals.get(test.name)
    beside = (share(rival.passed, rival.n) if rival else NOTHING,) if rivals else ()
    return (*own, Cell(rate, TONES[verdict]), *beside, percent(test.min_pass_rate, 1))


def _failing(tests: Sequence[BehaviourFigures], texts: Mapping[str, str]) -> Iterator[Block]:
    names = [case for test in tests for case in test.failing]
    if not names:
        return
    caption = "Failing cases, some of each test"
    if texts:
        rows = tuple((name, texts.get(name, NOTHING)) for name in names)
        yield Table(("case", "text"), rows, words=frozenset({1}), folded=True, caption=caption)
    else:
        yield Table(("case",), tuple((name,) for name in names), folded=True, caption=caption)
