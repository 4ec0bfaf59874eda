"""What `perennial doctor` answers."""

from collections.abc import Sequence
from typing import Any

from flows.console import hanging, say, terminal
from perennial.doctor import Health, HealthFinding

MARKS = {Health.OK: ("✓", "green"), Health.WARNING: ("!", "yellow"), Health.PROBLEM: ("✗", "red")}


def is_ill(findings: Sequence[HealthFinding]) -> bool:
    """Whether something is wrong, not just worth a look."""
    return any(finding.status is Health.PROBLEM for finding in findings)


def health_as_json(findings: Sequence[HealthFinding]) -> dict[str, Any]:
    """The findings as one JSON-ready object."""
    return {
        "status": "problem" if is_ill(findings) else "ok",
        "findings": [finding.model_dump(mode="json") for finding in findings],
    }


def show_health(findings: Sequence[HealthFinding]) -> None:
    """A line for each finding, and under it what to do."""
    console = terminal()
    wide = max((len(finding.name) for finding in findings), default=0)
    for finding in findings:
        mark, colour = MARKS[finding.status]
        console.print(mark, style=colour, end="  ")
        room = console.width - 3
        say(console, hanging(f"{finding.name:<{wide}}  ", finding.seen, room).replace("\n", "\n   "))
        if finding.remedy:
            say(console, hanging(" " * (wide + 5), finding.remedy, console.width), "bold")
    problems = sum(finding.status is Health.PROBLEM for finding in findings)
    console.print("Nothing is wrong." if not problems else f"{problems} to mend.", style="bold")
