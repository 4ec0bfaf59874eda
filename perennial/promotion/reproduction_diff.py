"""Whether what was made again is what is registered: digests, figures and the decision, side by side."""

import math
from collections.abc import Iterator, Mapping
from enum import StrEnum

from perennial.core.record import Record
from perennial.records.evaluation import Evaluation, Metrics
from perennial.records.run import Evidence

TOLERANCE = 0.01


class Agreement(StrEnum):
    """How near it came."""

    IDENTICAL = "identical"
    """Every digest and every figure is the same."""
    SAME = "same"
    """The rows and the decision are the same, and every metric on the test rows is within the tolerance."""
    DIFFERENT = "different"


class Fact(Record):
    """Something that is the same or is not."""

    name: str
    before: str
    now: str

    @property
    def is_same(self) -> bool:
        """Whether it is."""
        return self.before == self.now


class FigureDiff(Record):
    """A metric of the registered version, and of what was made again."""

    name: str
    before: float | None
    now: float | None
    difference: float | None
    """None: one of the two is missing or no number."""
    counts: bool
    """Whether it must be within the tolerance: the metrics on all test rows must, since a label with thirty rows moves
    by 0.03 with a single answer."""

    @property
    def is_equal(self) -> bool:
        """To the last bit."""
        return self.before == self.now or self.before is self.now

    def is_within(self, tolerance: float) -> bool:
        """Whether it moved by no more than `tolerance`, in parts of its value where that is above 1."""
        if self.difference is None or self.before is None:
            return self.is_equal
        return abs(self.difference) <= tolerance * max(1.0, abs(self.before))


class Reproduced(Record):
    """How a registered version compares with what its own evidence makes today."""

    model: str
    version: str
    sameness: Agreement
    tolerance: float
    facts: tuple[Fact, ...]
    """Digests of what it was made from, and of what came out."""
    figures: tuple[FigureDiff, ...]
    libraries: tuple[Fact, ...]
    """Those whose versions are not what they were."""
    libraries_known: bool
    """Whether it is written down which they were."""
    decision: Fact | None
    """None: not compared."""
    champion_problem: str | None
    """Why the decision is not compared: the champion it was judged against can't be had."""
    seconds: dict[str, float]


def compare_evidence(
    name: tuple[str, str], before: Evidence, now: Evidence, tolerance: float, champion_problem: str | None
) -> Reproduced:
    """The evidence of a registered version, by `name` (model and version), beside that of the same made again."""
    facts, figures = tuple(_facts(before, now)), tuple(_figures(before, now))
    decision = Fact(name="decision", before=before.decision.outcome.value, now=now.decision.outcome.value)
    compared = None if champion_problem else decision
    return Reproduced(
        model=name[0],
        version=name[1],
        sameness=_sameness(facts, figures, compared, tolerance),
        tolerance=tolerance,
        facts=facts,
        figures=figures,
        libraries=changed(before.libraries, now.libraries),
        libraries_known=bool(before.libraries),
        decision=compared,
        champion_problem=champion_problem,
        seconds=now.seconds,
    )


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Fact, ...]:
    """The libraries that have another version now, or are there on one side only; none if it is not known."""
    names = sorted({*before, *now}) if before else []
    facts = (Fact(name=name, before=before.get(name, "none"), now=now.get(name, "none")) for name in names)
    return tuple(fact for fact in facts if not fact.is_same)


def _sameness(
    facts: tuple[Fact, ...], figures: tuple[FigureDiff, ...], decision: Fact | None, tolerance: float
) -> Agreement:
    decided = decision is None or decision.is_same
    if decided and all(fact.is_same for fact in facts) and all(figure.is_equal for figure in figures):
        return Agreement.IDENTICAL
    # Weights and package may differ in bits between machines; what they were made from may not.
    rows = all(fact.is_same for fact in facts if fact.name in {"data", "validated data", "base model"})
    within = all(figure.is_within(tolerance) for figure in figures if figure.counts)
    return Agreement.SAME if decided and rows and within else Agreement.DIFFERENT


def _facts(before: Evidence, now: Evidence) -> Iterator[Fact]:
    yield Fact(name="data", before=before.snapshot.digest, now=now.snapshot.digest)
    yield Fact(name="validated data", before=before.validated.digest, now=now.validated.digest)
    yield Fact(name="base model", before=before.trained.base_revision, now=now.trained.base_revision)
    yield Fact(name="weights", before=before.trained.digest, now=now.trained.digest)
    yield Fact(name="package", before=before.package.digest, now=now.package.digest)


def _figures(before: Evidence, now: Evidence) -> Iterator[FigureDiff]:
    first, second = before.evaluation, now.evaluation
    yield from _paired(first.candidate.values, second.candidate.values, "{}", counts=True)
    yield from _paired(_by_label(first.candidate), _by_label(second.candidate), "{}")
    yield from _paired(_pass_rates(first), _pass_rates(second), "pass rate of {}")
    if first.champion and second.champion:
        yield from _paired(first.champion.values, second.champion.values, "champion's {}")
    for name in sorted({*first.baselines, *second.baselines}):
        yield from _paired(_of(first.baselines.get(name)), _of(second.baselines.get(name)), f"{name}'s {{}}")
    yield from _paired(before.trained.validation, now.trained.validation, "{} on validation rows")


def _paired(
    before: Mapping[str, float], now: Mapping[str, float], words: str, *, counts: bool = False
) -> Iterator[FigureDiff]:
    for name in dict.fromkeys([*before, *now]):
        first, second = _number(before.get(name)), _number(now.get(name))
        difference = None if first is None or second is None else second - first
        yield FigureDiff(name=words.format(name), before=first, now=second, difference=difference, counts=counts)


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _of(metrics: Metrics | None) -> Mapping[str, float]:
    return metrics.values if metrics else {}


def _by_label(metrics: Metrics) -> dict[str, float]:
    figures = metrics.per_label.items()
    return {f"{name} of {label!r}": value for label, values in figures for name, value in values.items()}


def _pass_rates(evaluation: Evaluation) -> dict[str, float]:
    return {repr(test.name): test.passed / test.n for test in evaluation.behaviours if test.n}
