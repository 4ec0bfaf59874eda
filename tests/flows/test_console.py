"""What a person on a terminal sees."""

import io

from rich.console import Console
from rich.progress import Progress

from flows.console import Bars
from perennial.core import progress


def test_progress_outside_of_any_step_has_a_line_too() -> None:
    """As `perennial doctor` and `perennial init` report it."""
    shown = io.StringIO()
    with Progress(console=Console(file=shown, force_terminal=True)) as live, progress.heard_by(Bars(live)):
        progress.advance(1, 2, unit="checks", detail="disk")
        progress.note("a word")
        with progress.step("rollback"):
            progress.advance(0, None, detail="asking version 2")
    assert "a word" in shown.getvalue()
    assert "rollback" in shown.getvalue()
