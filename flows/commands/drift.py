"""What `perennial drift` does and shows: how far new rows are from what the champion was trained on."""

from typing import Any

from perennial.core.home import Home
from perennial.monitoring import drift
from perennial.monitoring.drift import DriftFinding
from perennial.monitoring.measuring import DriftWindow
from perennial.pipeline_file import loader
from perennial.settings.drift import TriggersSpec

UNARMED = "There is no `triggers` in its pipeline.yaml: this is by the default settings, and starts nothing."


def look(pipeline: str) -> tuple[DriftFinding, bool]:
    """What drift there is, and whether the pipeline has triggers; without them, the default ones are meant."""
    spec = loader.read_pipeline(loader.find_pipeline(pipeline))
    is_armed = spec.triggers is not None
    if not is_armed:
        spec = spec.model_copy(update={"triggers": TriggersSpec()}).located(spec.folder)
    return drift.examine_drift(spec, Home.from_environment()), is_armed


def drift_as_json(finding: DriftFinding, is_armed: bool) -> dict[str, Any]:
    """The finding as one JSON-ready object; it is only looked at here, so nothing starts."""
    return {
        "status": "done",
        **finding.model_dump(mode="json"),
        "retrain": finding.retrain and is_armed,
        "armed": is_armed,
    }


def show_drift(finding: DriftFinding, is_armed: bool) -> None:
    """The finding as a table for people."""
    from rich.text import Text

    from flows.console import say, terminal

    console = terminal()
    if finding.windows:
        console.print(_table(finding))
        console.print()
    due = "A run is due: " if finding.retrain and is_armed else ""
    reason = f"{due}{finding.reason}" if due or not finding.retrain else f"Drifted: {finding.reason}"
    console.print(Text(reason.rstrip(".") + ".", style="yellow" if finding.retrain or not finding.is_measured else ""))
    for words in finding.learned:
        say(console, f"Slow drift, or an earlier shift; it starts nothing: {words}.")
    if not is_armed and finding.is_measured:
        say(console, UNARMED)


def _table(finding: DriftFinding) -> Any:
    from rich.table import Table
    from rich.text import Text

    names = [name for name in finding.limits if any(name in window.figures for window in finding.windows)]
    table = Table(box=None, pad_edge=False)
    for heading in ("window", "rows", "from", "to"):
        table.add_column(heading, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    limits = (f"{finding.limits[name]:g}" for name in names)
    table.add_row("limit", *[""] * 3, *limits, style="dim")
    for window in finding.windows:
        times = ("—" if time is None else f"{time:%Y-%m-%d %H:%M}" for time in (window.since, window.until))
        cells = (_cell(window, name, finding.limits[name]) for name in names)
        table.add_row(str(window.number), f"{window.rows:,}", *map(Text, times), *cells)
    return table


def _cell(window: DriftWindow, name: str, limit: float) -> Any:
    from rich.text import Text

    value = window.figures.get(name)
    if value is None:
        return Text("—")
    return Text(f"{value:.3f}", style="bold yellow" if value > limit else "")
