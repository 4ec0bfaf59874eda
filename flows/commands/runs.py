"""What `perennial runs` shows: the last runs of a pipeline, why each was started and how it ended."""

from collections.abc import Sequence
from typing import Any

from perennial.core.home import Home
from perennial.pipeline_file import loader
from perennial.runs import log
from perennial.runs.log import RunEntry

COLOURS = {"promoted": "green", "held": "yellow", "rejected": "red", "failed": "red", "skipped": "dim"}


def recent(pipeline: str, limit: int) -> tuple[str, list[RunEntry]]:
    """The pipeline's name and its last runs, newest first."""
    name = loader.read_pipeline(loader.find_pipeline(pipeline)).name
    return name, log.recent_runs(Home.from_environment(), name, limit)


def runs_as_json(pipeline: str, entries: Sequence[RunEntry]) -> dict[str, Any]:
    """The runs as one JSON-ready object."""
    listed = [{**run.model_dump(mode="json"), "seconds": run.seconds} for run in entries]
    return {"status": "done", "pipeline": pipeline, "runs": listed}


def show_runs(pipeline: str, entries: Sequence[RunEntry]) -> None:
    """The runs as a table for people."""
    from rich.table import Table
    from rich.text import Text

    from flows.console import terminal

    console = terminal()
    if not entries:
        console.print(f"No run of {pipeline} is remembered yet: `perennial run {pipeline}`.", markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("started (UTC)", "took", "trigger", "status", "version", "why"):
        table.add_column(heading, no_wrap=heading not in ("trigger", "why"))
    for run in entries:
        trigger = run.trigger.kind + (f": {run.trigger.detail}" if run.trigger.detail else "")
        status = Text(run.status, style=COLOURS.get(run.status, ""))
        when, took = f"{run.started:%Y-%m-%d %H:%M:%S}", f"{run.seconds:,.0f} s"
        table.add_row(when, took, Text(trigger), status, run.version or "—", Text(run.sentence))
    console.print(table)
