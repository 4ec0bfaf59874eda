"""The head of a report: the decision in a sentence, why, and the few figures that matter most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perennial import kinds
from perennial.evaluation.report import wording
from perennial.evaluation.report.blocks import Tile, Tone
from perennial.evaluation.report.material import Material
from perennial.evaluation.report.wording import between, number, plain, several, share, signed
from perennial.metrics import clusters
from perennial.records.decision import Check, Outcome, Verdict
from perennial.records.evaluation import Evaluation

LOOKS: dict[Outcome, tuple[Tone, str, str]] = {
    Outcome.PROMOTE: ("good", "✓", "The candidate may become champion"),
    Outcome.HOLD: ("doubt", "?", "The candidate is held"),
    Outcome.REJECT: ("bad", "✗", "The candidate is rejected"),
}
MOST_REASONS = 8


@dataclass(frozen=True)
class Heading:
    """What stands on top of the page."""

    model: str
    outcome: str
    tone: Tone
    mark: str
    sentence: str
    reasons: tuple[str, ...]
    tiles: tuple[Tile, ...]
    made: str
    texts: bool
    """Whether the page may show texts."""


def heading_of(material: Material) -> Heading:
    """The head of the page about this run."""
    decision = material.evidence.decision
    tone, mark, verdict = LOOKS[decision.outcome]
    reasons = decision.reasons[:MOST_REASONS]
    if rest := len(decision.reasons) - len(reasons):
        reasons = (*reasons, f"And {several(rest, 'more reason')}; see the checks.")
    if overrides := material.evidence.overrides:
        reasons = (f"{overrides}.", *reasons)
    return Heading(
        model=material.spec.name,
        outcome=decision.outcome.value,
        tone=tone,
        mark=mark,
        sentence=_sentence(material, verdict),
        reasons=reasons,
        tiles=tuple(_tiles(material)),
        made=f"{material.made:%Y-%m-%d %H:%M} UTC" if material.made else "",
        texts=material.spec.report.show_texts,
    )


def _sentence(material: Material, verdict: str) -> str:
    decision, registry = material.evidence.decision, material.spec.registry
    if decision.outcome is Outcome.PROMOTE and registry.mode == "observe":
        return "The candidate passed; nothing moves, because registry.mode is observe."
    if decision.outcome is Outcome.PROMOTE and registry.approval == "required":
        return "The candidate passed; it serves once a person approves of it."
    return f"{verdict}: {_why(decision.checks)}."


def _why(checks: tuple[Check, ...]) -> str:
    failed = sum(check.verdict is Verdict.FAIL for check in checks)
    open_ = sum(check.verdict is Verdict.UNDECIDED for check in checks)
    total = several(len(checks), "check")
    if failed:
        return f"{failed} of {total} failed"
    if open_:
        return f"{open_} of {total} could not be decided"
    if not checks:
        return "no check applied"
    skipped = sum(check.verdict is Verdict.SKIPPED for check in checks)
    return f"{len(checks) - skipped} of {total} passed" + (f", {skipped} not judged" if skipped else "")


def _tiles(material: Material) -> Iterator[Tile]:
    evaluation, metric = material.evidence.evaluation, kinds.kind_named(material.spec.kind).headline_metric
    interval = evaluation.candidate.intervals.get(metric)
    note = between(interval) if interval else f"n = {evaluation.candidate.n:,}"
    yield Tile(plain(metric), number(evaluation.candidate.values.get(metric)), note)
    yield _beside(evaluation, metric)
    if evaluation.comparison and evaluation.comparison.negative_flips is not None:
        lost, n = evaluation.comparison.negative_flips, evaluation.comparison.n
        yield Tile("negative flips", share(lost, n), f"{lost:,} of {n:,} rows")
    yield Tile("test rows", f"{evaluation.candidate.n:,}", _of_which(evaluation, material.evidence.snapshot.rows))
    if evaluation.serving:
        rival = evaluation.champion_serving
        against = f"champion {rival.latency_p50:,.1f} ms" if rival else "one text, median"
        yield Tile("latency", f"{evaluation.serving.latency_p50:,.1f} ms", against)
    package = material.evidence.package
    yield Tile("package", f"{package.size_bytes / 1e6:.1f} MB", package.precision)


def _of_which(evaluation: Evaluation, rows: int) -> str:
    candidate = evaluation.candidate
    if candidate.clusters is None:
        return f"of {rows:,} rows"
    return f"{clusters.units(candidate.clusters, candidate.clustered_by)}; of {rows:,} rows"


def _beside(evaluation: Evaluation, metric: str) -> Tile:
    difference = evaluation.comparison.values.get(metric) if evaluation.comparison else None
    if difference:
        span = f"{signed(difference.interval.low)} to {signed(difference.interval.high)}"
        return Tile("against the champion", signed(difference.value), span)
    if evaluation.champion:
        own, rival = evaluation.candidate.values.get(metric), evaluation.champion.values.get(metric)
        gap = signed(own - rival) if own is not None and rival is not None else wording.NOTHING
        return Tile("against the champion", gap, f"it has {number(rival)}")
    return Tile("champion", "not judged" if evaluation.champion_version else "none yet", "")
