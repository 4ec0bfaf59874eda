"""What a person sees while a run works: one line a step, with progress where a step takes long."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from perennial.core import progress

INSTANT = 0.05
"""Seconds under which a step is not worth a word about its time."""


@contextmanager
def watched() -> Iterator[None]:
    """Show the steps that run inside the block on standard error: live on a terminal, as plain lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        with progress.heard_by(StepLines(console)):
            yield
        return
    columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description:<10}"), BarColumn(24))
    live = Progress(*columns, TimeElapsedColumn(), TextColumn("[dim]{task.fields[detail]}"), console=console)
    with live, progress.heard_by(Bars(live)):
        yield


class _LastDetail:
    """Remembers what was heard last of a step, for the one line that is written at its end."""

    detail = ""

    def begin(self, step: str) -> None:
        """Forget the step before."""
        self.detail = ""

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        """Remember the newest detail for the step's line."""
        self.detail = _detail(done, total, unit, detail)


class StepLines(_LastDetail):
    """A line when a step has ended, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def note(self, message: str) -> None:
        """The message, at once."""
        self.console.print(f"  ! {message}", style="yellow", markup=False, highlight=False)

    def end(self, step: str, seconds: float, done: bool) -> None:
        """The step, its seconds and its last detail."""
        self.console.print(_line(step, seconds, done, self.detail), markup=False, highlight=False)


class Logged(_LastDetail):
    """A line in a log when a step has ended; for Prefect's page."""

    def __init__(self, log: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
        self.log = log

    def note(self, message: str) -> None:
        """The message, at once."""
        self.log.warning("%s", message)

    def end(self, step: str, seconds: float, done: bool) -> None:
        """The step, its seconds and its last detail."""
        self.log.info("%s", _line(step, seconds, done, self.detail))


class Bars:
    """A live line a step, with a bar where the end is known."""

    def __init__(self, live: Progress) -> None:
        self.live = live
        self.task: TaskID | None = None

    def begin(self, step: str) -> None:
        """A new line."""
        self.task = self.live.add_task(step, total=None, detail="")

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        """The newest state of the step's line; what is no step gets a line without a name."""
        # The bar is full when the step ends, not before: what follows the last unit is work too.
        total = None if total is None else max(total, done + 1e-9)
        self.live.update(self._line(), completed=done, total=total, detail=_detail(done, total, unit, detail))

    def note(self, message: str) -> None:
        """The message, above the lines."""
        self.live.console.print(f"! {message}", style="yellow", markup=False, highlight=False)

    def end(self, step: str, seconds: float, done: bool) -> None:
        """The line stands still."""
        if done:
            self.live.update(self._line(), total=1, completed=1)
        else:
            self.live.stop_task(self._line())

    def _line(self) -> TaskID:
        if self.task is None:
            self.begin("")
        return cast(TaskID, self.task)


def _line(step: str, seconds: float, done: bool, detail: str) -> str:
    mark = "✓" if done else "✗"
    time = f"{seconds:6.1f} s" if seconds >= INSTANT else " " * 8
    return f"{mark} {step:<10} {time}  {detail}".rstrip()


def _detail(done: float, total: float | None, unit: str, detail: str) -> str:
    plural = unit if unit.endswith("s") or not unit else f"{unit}s"
    if total is not None and unit:
        counted = f"{done:,.0f} of {total:,.0f} {plural}"
    else:
        counted = f"{done:,.0f} {plural}" if done and unit else ""
    return " · ".join(part for part in (counted, detail) if part)
