"""A package that answers in a process of its own, within a time: one that hangs is ended, and hangs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial.core.errors import PackageError
from perennial.evaluation.asking import Heard
from perennial.inference import process
from perennial.inference.decoders import Input
from perennial.inference.process import Process, TooSlowError

LEAST_SECONDS = 120.0
"""Always allowed: to load the package, and because few rows tell little of how long they may take."""


@dataclass(frozen=True)
class Pace:
    """How long the candidate took for its rows, and how many times as long another may take for as many."""

    seconds: float
    rows: int
    slowdown: float

    def allowed(self, rows: int) -> float:
        """Seconds for `rows` rows."""
        return max(LEAST_SECONDS, self.slowdown * self.seconds * rows / max(self.rows, 1))


@dataclass(frozen=True)
class PackageWorker:
    """Asks a package in its process; made by `answering_worker`."""

    process: Process
    pace: Pace

    def predict(self, inputs: Sequence[Input], *, on_progress: Heard | None = None) -> list[dict[str, Any]]:
        """One answer for each input, in order, as `Predictor.predict` gives them.

        Raises PackageError when they take longer than the pace allows, or the package can't answer.
        """
        seconds = self.pace.allowed(len(inputs))
        try:
            reply = self.process.ask(list(inputs), seconds=seconds, heard=on_progress)
        except TooSlowError as error:
            raise self._too_slow(len(inputs), seconds) from error
        answers: list[dict[str, Any]] = reply["answers"]
        return answers

    def _too_slow(self, rows: int, seconds: float) -> PackageError:
        pace = self.pace
        return PackageError(
            f"It is too slow, or hangs: it was ended after {seconds:,.3g} s without having answered {rows:,} rows, of "
            f"which the candidate took {pace.seconds * rows / max(pace.rows, 1):,.3g} s.",
            remedy=f"If it is meant to be that slow, raise evaluation.champion_slowdown ({pace.slowdown:g}); "
            "otherwise let another version serve (`perennial rollback`).",
        )


@contextmanager
def answering_worker(package: Path, pace: Pace) -> Iterator[PackageWorker]:
    """The package in a folder, ready to be asked, for the block. Raises PackageError if no process can be started."""
    with process.running_program("answer", package) as started:
        yield PackageWorker(started, pace)
