"""The section on the gates: every check and what it came to."""

from __future__ import annotations

from collections.abc import Mapping

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
        "Δ is candidate minus champion on the same rows: a check passes if the whole interval lies on the right side "
        "of the margin. Failures are declared for all comparisons together (Holm's correction)."
    )
    return Section("checks", "Checks", (table, Words(note, "quiet")))


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
