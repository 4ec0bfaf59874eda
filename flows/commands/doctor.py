"""What `perennial doctor` answers."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from perennial.doctor import Health, HealthFinding

MARKS = {Health.OK: "[green]✓", Health.WARNING: "[yellow]!", Health.PROBLEM: "[red]✗"}


def is_ill(findings: Sequence[HealthFinding]) -> bool:
    """Whether something is wrong, not just worth a look."""
    return any(finding.status is Health.PROBLEM for finding in findings)


def as_json(findings: Sequence[HealthFinding]) -> dict[str, Any]:
    """The findings as one JSON-ready object."""
    return {
        "status": "problem" if is_ill(findings) else "ok",
        "findings": [finding.model_dump(mode="json") for finding in findings],
    }


def show(findings: Sequence[HealthFinding]) -> None:
    """A line for each finding, and under it what to do."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        table.add_row(MARKS[finding.status], finding.name, Text(finding.seen))
        if finding.remedy:
            table.add_row("", "", Text(finding.remedy, style="bold"))
    console = Console()
    console.print(table)
    problems = sum(finding.status is Health.PROBLEM for finding in findings)
    console.print("Nothing is wrong." if not problems else f"{problems} to mend.", style="bold")
