"""What a person sees on a terminal: the steps of a run while it works, and sentences with paths that stay whole."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import cast

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from perennial.core import progress

INSTANT = 0.05
"""Seconds under which a step is not worth a word about its time."""


def terminal(*, stderr: bool = False) -> Console:
    """Where people read: the only place that makes one, for what is printed holds texts and names of their own, and by
    default rich turns `data:train:1` into a railway carriage."""
    return Console(stderr=stderr, emoji=False)


def say(console: Console, sentence: str, style: str = "") -> None:
    """Print a sentence as it is, wrapped between words only: a path that is longer than a line is not broken."""
    console.print(sentence, style=style, markup=False, highlight=False, emoji=False, overflow="ignore", crop=False)


def say_line(console: Console, line: str) -> None:
    """Print a line that is never broken, so that the path in it can be clicked and copied."""
    console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def hanging(first: str, text: str, width: int) -> str:
    """`first`, then the text beside it in lines of `width`, wrapped between words only."""
    room = max(width - len(first), 20)
    lines = wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join((" " * len(first) if number else first) + line for number, line in enumerate(lines))


def shown_path(path: Path) -> str:
    """The path from the working folder, where it lies below it; else from the root."""
    working = Path.cwd()
    absolute = working / path
    return str(absolute.relative_to(working) if absolute.is_relative_to(working) else absolute)


@contextmanager
def watched() -> Iterator[None]:
    """Show the steps that run inside the block on standard error: live on a terminal, as plain lines elsewhere."""
    console = terminal(stderr=True)
    if not console.is_terminal:
        with progress.heard_by(StepLines(console)):
            yield
        return
    with (live := bars(console)), progress.heard_by(Bars(live)):
        yield


def bars(console: Console) -> Progress:
    """The live lines of `watched`. What a step says is shown as it is: it may name a file or a label."""
    name, detail = TextColumn("{task.description:<10}", markup=False), "{task.fields[detail]}"
    columns = (SpinnerColumn(finished_text="[green]✓"), name, BarColumn(24), TimeElapsedColumn())
    return Progress(*columns, TextColumn(detail, style="dim", markup=False), console=console)


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
        say(self.console, f"  ! {message}", "yellow")

    def end(self, step: str, seconds: float, done: bool) -> None:
        """The step, its seconds and its last detail."""
        say(self.console, _line(step, seconds, done, self.detail))


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
        say(self.live.console, f"! {message}", "yellow")

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
