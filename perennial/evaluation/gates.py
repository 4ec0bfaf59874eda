"""Gates: what must hold before a candidate may serve, and the decision that follows."""

from collections.abc import Iterator

from perennial import kinds
from perennial.core import digest
from perennial.core.errors import listing
from perennial.core.percent import percent
from perennial.evaluation import gate_checks, gate_figures
from perennial.evaluation.gate_checks import GateCase
from perennial.metrics import clusters
from perennial.metrics.gate_metrics import PASS_RATE
from perennial.records.decision import Check, Decision, Outcome, Verdict
from perennial.records.evaluation import Evaluation, Metrics
from perennial.settings.gates import GateSpec
from perennial.settings.pipeline import PipelineSpec

FEW_ROWS = 50
"""Independent test rows below which a decision says what it can't know: of 50 rows of which 0.85 are answered rightly,
the interval is 0.2 wide."""


def decide(spec: PipelineSpec, evaluation: Evaluation) -> Decision:
    """Every gate of `spec` applied to `evaluation`.

    A failed check rejects the candidate. A check that can't be decided (a metric that is missing or no number, too few
    rows, a champion that can't be judged) holds it: what can't be shown to be good is never promoted. Behavioural tests
    are checked by their own floors if no gate sets a floor for them.
    """
    checks = gate_checks.judge(
        [
            GateCase(spec, gate, figure, evaluation.champion_version, evaluation.look)
            for gate in _gates(spec, evaluation)
            for figure in gate_figures.figures_of(gate, evaluation, spec)
        ]
    )
    outcome = _outcome(spec, checks, evaluation)
    return Decision(
        digest=digest.of_values(evaluation=evaluation.digest, gates=spec.gates, outcome=outcome, checks=checks),
        outcome=outcome,
        reasons=tuple(_reasons(spec, checks, evaluation)),
        checks=checks,
        champion_version=evaluation.champion_version,
    )


def _outcome(spec: PipelineSpec, checks: tuple[Check, ...], evaluation: Evaluation) -> Outcome:
    verdicts = {check.verdict for check in checks}
    if Verdict.FAIL in verdicts:
        return Outcome.REJECT
    if Verdict.UNDECIDED in verdicts or Verdict.PASS not in verdicts or any(_obstacles(spec, evaluation)):
        return Outcome.HOLD
    return Outcome.PROMOTE


def _reasons(spec: PipelineSpec, checks: tuple[Check, ...], evaluation: Evaluation) -> Iterator[str]:
    for verdict in (Verdict.FAIL, Verdict.UNDECIDED):
        yield from (check.reason for check in checks if check.verdict is verdict)
    obstacles = tuple(_obstacles(spec, evaluation))
    yield from obstacles
    yield from (check.reason for check in checks if check.verdict is Verdict.SKIPPED)
    if not checks and evaluation.champion_version is None:
        yield "No gate applied: all of them compare with a champion, and there is none yet; add a floor (min)."
    judged = [check for check in checks if check.verdict is not Verdict.SKIPPED]
    if judged and all(check.verdict is Verdict.PASS for check in judged) and not obstacles:
        yield f"All {len(judged)} checks passed on {_counted(evaluation.candidate)}."
        yield from _little_known(spec, evaluation.candidate)
    if checks and not judged:
        yield "Nothing could be judged, so nothing is promoted; lower min_n, or add a floor (min) on all test rows."
    if evaluation.champion_version is None and checks:
        yield "There is no champion yet, so there was none to compare with."


def _little_known(spec: PipelineSpec, candidate: Metrics) -> Iterator[str]:
    """What so few test rows can't tell of a candidate that passed."""
    independent = candidate.n if candidate.clusters is None else candidate.clusters
    if independent >= FEW_ROWS:
        return
    kind = kinds.kind_named(spec.kind)
    metric, interval = kind.headline_metric, candidate.intervals.get(kind.headline_metric)
    few = f"{_counted(candidate)} tell little"
    if interval is None:
        yield f"{few}."
        return
    end = f"up to {interval.high:.3f}" if metric in kind.lower_is_better else f"down to {interval.low:.3f}"
    yield (
        f"{few}: the {percent(spec.evaluation.confidence)} interval of {metric} is {interval.low:.3f} to "
        f"{interval.high:.3f}, so a candidate {end} can't be told apart from this one."
    )


def _counted(candidate: Metrics) -> str:
    return clusters.in_words(candidate.n, candidate.clusters, candidate.clustered_by)


def _obstacles(spec: PipelineSpec, evaluation: Evaluation) -> Iterator[str]:
    """What keeps a candidate from being promoted whatever its figures are, in words."""
    version = evaluation.champion_version
    if evaluation.champion_problem is not None:
        yield f"The champion, version {version}, can't be judged: {evaluation.champion_problem}"
    if gone := [label for label in evaluation.dropped_labels if label not in spec.registry.allow_dropped_labels]:
        yield (
            f"The champion, version {version}, knows {listing(map(repr, gone))}, which data.labels lacks: whoever "
            "waits for that would wait for ever. If it is meant, name it in registry.allow_dropped_labels."
        )
    floors = any(gate.per == "label" and gate.min is not None for gate in spec.gates)
    if evaluation.new_labels and not floors:
        yield (
            f"New in data.labels: {listing(map(repr, evaluation.new_labels))}. The champion has no figure to compare "
            "with, and no gate sets a floor. Add one, such as {metric: recall, per: label, min: 0.7}."
        )


def _gates(spec: PipelineSpec, evaluation: Evaluation) -> Iterator[GateSpec]:
    yield from spec.gates
    if evaluation.behaviours and not any(gate.per == "behaviour" and gate.versus is None for gate in spec.gates):
        # A test that somebody wrote is there to be passed, whether or not a gate says so.
        yield GateSpec(metric=PASS_RATE, per="behaviour")
