"""The section on the gates: every check and what it came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from perennial.evaluation.report import wording
from perennial.evaluation.report.blocks import Cell, Section, Table, Tone, Words
from perennial.evaluation.report.material import Material
from perennial.evaluation.report.wording import between, number
from perennial.records.decision import Check, Verdict

TONES: Mapping[Verdict, Tone] = {
    Verdict.PASS: "good",
    Verdict.FAIL: "bad",
    Verdict.UNDECIDED: "doubt",
    Verdict.SKIPPED: "quiet",
}
MARKS = {
    Verdict.PASS: "✓ pass",
    Verdict.FAIL: "✗ fail",
    Verdict.UNDECIDED: "? undecided",
    Verdict.SKIPPED: "– not judged",
}
WORST_FIRST = (Verdict.FAIL, Verdict.UNDECIDED, Verdict.SKIPPED, Verdict.PASS)


def checks_section(material: Material) -> Section:
    """Every gate applied."""
    decision = material.evidence.decision
    ordered = sorted(decision.checks, key=lambda check: WORST_FIRST.index(check.verdict))
    head = ("check", "value", "limit", "interval", "n", "verdict", "reason")
    table = Table(head, tuple(map(_check, ordered)), words=frozenset({5, 6}), stacked=True)
    if not ordered:
        return Section("checks", "Checks", (Words("No gate applied to this run.", "doubt"),))
    note = (
        "Δ is candidate minus champion, or anchor, on the same rows: a check passes if the whole interval lies on the "
        "right side of the margin. Failures are declared for all comparisons together (Holm's correction)."
    )
    return Section("checks", "Checks", (table, Words(note, "quiet"), *map(Words, _process(material))))


def _process(material: Material) -> Iterator[str]:
    """What was looked at before: the test rows' budget, and the best champion of some time."""
    evaluation = material.evidence.evaluation
    if evaluation.look:
        yield (
            f"{evaluation.look.sentence} A comparison on all test rows passes if it is shown at that level, so that "
            "many candidates together err no more than the budget says."
        )
    if evaluation.anchor:
        is_champion = evaluation.anchor.version == evaluation.champion_version
        name = f"The anchor is version {evaluation.anchor.version}{', the champion itself' if is_champion else ''}"
        yield f"{name}: the best champion that counts by the gate's days. {evaluation.anchor.stands_for}".strip()


def _check(check: Check) -> tuple[Cell | str, ...]:
    verdict = Cell(MARKS[check.verdict], TONES[check.verdict], strong=True)
    counted = wording.counted(check.n, check.clusters, check.clustered_by)
    return (
        check.gate, number(check.value), number(check.limit), _certainty(check), counted, verdict, check.reason,
    )  # fmt: skip


def _certainty(check: Check) -> str:
    """How well the value is known, or its difference from the champion's."""
    if check.difference is None or check.interval is None:
        return between(check.interval)
    return f"Δ {wording.spread(check.difference, check.interval)}"
