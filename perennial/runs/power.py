"""What the gates can decide with these rows, found out before anything is trained."""

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.evaluation.power import gate_power
from perennial.evaluation.power.gate_power import GatePower, PlannedTest
from perennial.records.data import ValidatedData
from perennial.records.evaluation import Evaluation
from perennial.records.package import Champion
from perennial.registry import tracking, versions
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.read_rows import read_split


def find_power(spec: PipelineSpec, data: ValidatedData, champion: Champion | None, home: Home) -> tuple[GatePower, ...]:
    """What the test rows of `data` can decide of each gate, by what was found when the champion was judged.

    Raises SpecError for a slice's expression that fails on some row.
    """
    test = read_split(data, home.store, "test", gate_power.columns_needed(spec))
    return gate_power.power_of_gates(PlannedTest(spec, test, _judged(spec, champion, home))) if test.num_rows else ()


def say_power(spec: PipelineSpec, data: ValidatedData, champion: Champion | None, home: Home) -> None:
    """Tell of each gate that the test rows are too few for; of comparisons only where there is a champion."""
    for power in find_power(spec, data, champion, home):
        if not power.is_enough and (champion is not None or power.power is None):
            progress.note(f"These rows may be too few for a gate. {power.reason}")


def _judged(spec: PipelineSpec, champion: Champion | None, home: Home) -> Evaluation | None:
    if champion is None:
        return None
    try:
        with tracking.session(home) as client:
            candidate = versions.candidate(client, home, spec.name, champion.version)
            return versions.evidence_of(client, home, candidate).evidence.evaluation
    except RegistryError:
        # What it would say is then assumed, and said to be.
        return None
