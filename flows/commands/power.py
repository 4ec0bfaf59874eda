"""What `perennial power` does and shows: which gates the rows at hand can decide; nothing is trained."""

from collections.abc import Sequence
from typing import Any

from perennial.core import progress
from perennial.core.home import Home
from perennial.evaluation.power.gate_power import GatePower
from perennial.pipeline_file import loader
from perennial.registry import aliases
from perennial.runs import candidate_steps, power
from perennial.runs.lock import one_at_a_time


def find_gates(pipeline: str, overrides: Sequence[str]) -> tuple[GatePower, ...]:
    """What is new in the source is read and checked, as a run would, and each gate held against the test rows."""
    from perennial.ingest import snapshots

    spec = loader.read_pipeline(loader.find_pipeline(pipeline), overrides)
    home = Home.from_environment()
    with one_at_a_time(spec.name, home):
        with progress.step("ingest"):
            snapshot = snapshots.ingest(spec, home)
        validated = candidate_steps.validate(spec, snapshot, home)
        with progress.step("champion"):
            champion = aliases.champion(spec.name, home)
        return power.find_power(spec, validated, champion, home)


def as_json(gates: Sequence[GatePower]) -> dict[str, Any]:
    """The gates as one JSON-ready object."""
    return {"status": "done", "gates": [gate.model_dump(mode="json") for gate in gates]}


def show(gates: Sequence[GatePower]) -> None:
    """A line or two for each gate."""
    from rich.text import Text

    from flows.console import terminal

    console = terminal()
    for gate in gates:
        mark, style = ("✓", "green") if gate.is_enough else ("?", "yellow")
        console.print(Text(f"{mark} ", style=style) + Text(gate.reason))
    if not gates:
        console.print("No gate is about figures on test rows, so no number of rows matters.")
