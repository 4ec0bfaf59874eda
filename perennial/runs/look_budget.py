"""What a candidate's look at the test rows may err with, counted in the ledger before anybody decides by it."""

from perennial.core import digest
from perennial.core.home import Home
from perennial.evaluation import gate_figures
from perennial.evaluation.judged_rows import independence
from perennial.metrics import gate_metrics
from perennial.metrics.clusters import GROUP
from perennial.records.data import ValidatedData
from perennial.records.evaluation import Comparison, Evaluation
from perennial.records.package import Anchor, Champion, OnnxPackage
from perennial.registry.judged.looks import ComparedOnce, count_look
from perennial.registry.ledger import Ledger
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.read_rows import read_split


def with_look(
    spec: PipelineSpec,
    evaluation: Evaluation,
    package: OnnxPackage,
    data: ValidatedData,
    champion: Champion | None,
    anchor: Anchor | None,
    home: Home,
) -> Evaluation:
    """`evaluation` with the look that it is, which is counted once however often it is asked for.

    As it is where nothing was compared on all test rows, or no gate would decide by it. Raises RegistryError when the
    ledger can't be used.
    """
    metric = deciding_metric(spec)
    if champion is None or evaluation.comparison is None or metric is None:
        return evaluation
    beside = anchor.package.package_digest if anchor and anchor.package else None
    once = ComparedOnce(
        compared=digest.of_values(
            package=package.digest, data=data.digest, champion=champion.package_digest, anchor=beside
        ),
        package=package.digest,
        champion_version=champion.version,
        anchor_version=evaluation.anchor.version if evaluation.anchor else None,
        metric=metric,
        beside_champion=_better(spec, evaluation.comparison, metric),
        beside_anchor=_better(spec, evaluation.anchor.comparison if evaluation.anchor else None, metric),
    )
    keys = independence.units_of_rows(spec, read_split(data, home.store, "test", independence.unit_columns(spec)))
    look = count_look(Ledger.open(home), spec.name, once, keys, spec.evaluation.test_budget)
    if look is not None and spec.data.splits.by == GROUP:
        look = look.model_copy(update={"unit": GROUP})
    return evaluation.model_copy(update={"look": look})


def deciding_metric(spec: PipelineSpec) -> str | None:
    """The metric of the first gate that compares all test rows with the anchor, else with the champion; None: none."""
    gates = [gate for gate in spec.gates if gate.per is None and gate.slice is None]
    for versus in ("anchor", "champion"):
        for gate in gates:
            if gate.versus == versus and gate.metric not in gate_metrics.BY_FIGURE:
                return gate.metric
    return None


def _better(spec: PipelineSpec, comparison: Comparison | None, metric: str) -> float | None:
    difference = comparison.values.get(metric) if comparison else None
    if difference is None:
        return None
    return -difference.value if gate_figures.lower_is_better(spec, metric) else difference.value
