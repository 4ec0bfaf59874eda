"""How a step says what it is doing, without knowing who listens."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from perennial.core.masking import mask_secrets


class Listener(Protocol):
    """Hears what the running step does."""

    def begin(self, step: str) -> None:
        """`step` starts."""

    def end(self, step: str, seconds: float, done: bool) -> None:
        """`step` has ended after `seconds`; not `done`: it failed or was cut short."""

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        """`done` of `total` `unit`s (total None: not known) of the running step; `detail` is free text."""

    def note(self, message: str) -> None:
        """Something a person should know that does not stop the run."""


class Silent:
    """Hears nothing; the default in library use and in tests."""

    def begin(self, step: str) -> None:
        """Nothing."""

    def end(self, step: str, seconds: float, done: bool) -> None:
        """Nothing."""

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""


_listener: ContextVar[Listener] = ContextVar("perennial_progress")
_seconds: ContextVar[dict[str, float]] = ContextVar("perennial_seconds")
_noted: ContextVar[set[str]] = ContextVar("perennial_noted")
_counted: ContextVar[Counter[str]] = ContextVar("perennial_counted")
_SILENT = Silent()


def advance(done: float, total: float | None = None, *, unit: str = "", detail: str = "") -> None:
    """Report `done` of `total` `unit`s of the running step."""
    _listener.get(_SILENT).advance(done, total, unit, detail)


def note(message: str) -> None:
    """Report something a person should know that does not stop the run; once in a step, without secrets."""
    message = mask_secrets(message)
    noted = _noted.get(set())
    if message not in noted:
        noted.add(message)
        _listener.get(_SILENT).note(message)


def count(what: str, number: int) -> None:
    """Count `number` more of `what`; each count is noted once, when the running step ends or by who counts (`counted`).

    For what is found batch by batch and means something only as a sum. Outside a step it is noted at once.
    """
    if not number:
        return
    counts = _counted.get(None)
    if counts is None:
        note(f"{number:,} × {what}.")
    else:
        counts[what] += number


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """What is counted inside the block, for who tells it in another way than by notes."""
    counts: Counter[str] = Counter()
    token = _counted.set(counts)
    try:
        yield counts
    finally:
        _counted.reset(token)


def listener() -> Listener:
    """Who listens now."""
    return _listener.get(_SILENT)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Send all reports made inside the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Report the block as the step `name`, with the seconds it took."""
    listener = _listener.get(_SILENT)
    listener.begin(name)
    started = time.monotonic()
    token = _noted.set(set())
    done = False
    try:
        with counted() as counts:
            yield
        for what, number in counts.most_common():
            note(f"{number:,} × {what}.")
        done = True
    finally:
        seconds = time.monotonic() - started
        _seconds.get({})[name] = round(seconds, 3)
        _noted.reset(token)
        listener.end(name, seconds, done)


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Collect the seconds of each step that runs inside the block."""
    seconds: dict[str, float] = {}
    token = _seconds.set(seconds)
    try:
        yield seconds
    finally:
        _seconds.reset(token)
