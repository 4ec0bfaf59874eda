"""What the packages cost to ask, and whether their answers depend on what a row is asked with; measured now, here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from perennial.core import progress
from perennial.core.errors import PackageError
from perennial.inference import process
from perennial.inference.decoders import Input
from perennial.inference.process import Process
from perennial.kinds.protocols import GivesAnswers
from perennial.records.evaluation import ServingFigures
from perennial.settings.serving import ServingSpec

ROWS = 256
"""Test rows that are asked, spread evenly over all."""
SINGLES = 100
"""Texts timed alone in a round."""
ROUNDS = 3
FEWEST = 8
SECONDS = 0.6
"""About how long each of the two timings of a round may take, for each package."""
STABILITY_SECONDS = 2.0
"""About how long counting changed answers may take, for each package."""
FEW_CLIENTS = (2, 8)
"""Rows that a server answers together where few clients ask; where many do, `serving.batch_rows`."""


@dataclass
class _Measured:
    """One package in its own process, and what was measured of it so far."""

    who: str
    folder: Path
    process: Process
    alone: float = 0.0
    """Seconds for a row alone, about."""
    padded: float = 0.0
    rounds: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    """alone and padded: an answer for each row; served: such a list for each size of batch."""
    problem: str | None = None

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """The reply; an empty one, and the problem noted, if there is none."""
        if self.problem is not None:
            return {}
        try:
            reply: dict[str, Any] = self.process.ask({"do": what, **arguments})
        except PackageError as error:
            self.problem = error.problem
            progress.note(f"What the {self.who} costs to ask could not be measured: {error.problem}")
            return {}
        return reply


def of_server(settings: ServingSpec) -> dict[str, int]:
    """What figures depend on beside the package, for keys; nothing where it is as by default."""
    usual = ServingSpec.model_fields["batch_rows"].default
    return {} if settings.batch_rows == usual else {"batch_rows": settings.batch_rows}


def measure_serving(
    packages: Mapping[str, Path], inputs: Sequence[Input], kind: GivesAnswers, batch_rows: int
) -> dict[str, ServingFigures | None]:
    """Figures of each package (a folder, by whose it is), on some of `inputs`, for a server that answers `batch_rows`
    rows together at most.

    Each answers in a clean process of its own, and they take turns, A B A B, so that whatever else this machine does
    meets all of them: ratios can be trusted more than the figures. Takes some 6 seconds for each package or less. None
    for a package that could not be measured; why is told as a note.
    """
    sample = _sample(inputs)
    try:
        with _started(packages) as all_of_them:
            _warm_up(all_of_them, sample)
            _take_turns(all_of_them, len(sample))
            _count_changes(all_of_them, len(sample), batch_rows)
    except PackageError as error:
        progress.note(f"What serving costs could not be measured: {error.problem}")
        return dict.fromkeys(packages)
    return {each.who: _figures(each, kind) for each in all_of_them}


def _sample(inputs: Sequence[Input]) -> list[Input]:
    count = min(ROWS, len(inputs))
    return [inputs[index * len(inputs) // count] for index in range(count)]


@contextmanager
def _started(packages: Mapping[str, Path]) -> Iterator[list[_Measured]]:
    with ExitStack() as stack:
        yield [
            _Measured(who, folder, stack.enter_context(process.running_program("cost", folder)))
            for who, folder in packages.items()
        ]


def _warm_up(all_of_them: Sequence[_Measured], sample: Sequence[Input]) -> None:
    _say(0)
    for each in all_of_them:
        reply = each.ask("warm_up", inputs=list(sample))
        each.alone, each.padded = reply.get("alone", 0.0), reply.get("padded", 0.0)


def _take_turns(all_of_them: Sequence[_Measured], rows: int) -> None:
    # The same rows for each package, as many as the slowest of them can take.
    slowest = max(each.alone for each in all_of_them)
    singles, together = _fitting(slowest, SECONDS, min(SINGLES, rows)), _fitting(slowest, SECONDS, rows)
    for number in range(ROUNDS):
        _say(number)
        for each in all_of_them:
            each.rounds.append(each.ask("time", singles=singles, together=together) | {"rows": together})


def _count_changes(all_of_them: Sequence[_Measured], rows: int, batch_rows: int) -> None:
    _say(ROUNDS)
    batches = sorted({*(size for size in FEW_CLIENTS if size < batch_rows), batch_rows})
    for each in all_of_them:
        seconds = (1 + len(batches)) * each.alone + each.padded
        each.answers = each.ask("answer", rows=_fitting(seconds, STABILITY_SECONDS, rows), batches=batches)


def _fitting(seconds: float, limit: float, most: int) -> int:
    """How many that take `seconds` each fit into `limit`; no fewer than FEWEST, if there are so many."""
    return min(most, max(FEWEST, int(limit / max(seconds, 1e-6))))


def _say(number: int) -> None:
    progress.advance(number, ROUNDS + 1, unit="round", detail="cost of serving")


def _figures(measured: _Measured, kind: GivesAnswers) -> ServingFigures | None:
    if measured.problem is not None:
        return None
    alone, padded, served = (measured.answers[how] for how in ("alone", "padded", "served"))
    rounds = measured.rounds
    return ServingFigures(
        batch_flips=sum(_changes(kind, alone, answers) for answers in served),
        batch_answers=len(alone) * len(served),
        padding_flips=_changes(kind, alone, padded),
        n=len(alone),
        latency_p50=median(_percentile(each["latencies"], 50) for each in rounds),
        latency_p95=median(_percentile(each["latencies"], 95) for each in rounds),
        throughput=median(each["rows"] / each["seconds"] for each in rounds),
        peak_memory=max(each["peak_memory"] for each in rounds),
        size=sum(file.stat().st_size for file in measured.folder.iterdir() if file.is_file()) / 1e6,
    )


def _changes(kind: GivesAnswers, one: Sequence[Any], other: Sequence[Any]) -> int:
    return sum(not kind.same_answer(before, after) for before, after in zip(one, other, strict=True))


def _percentile(values: Sequence[float], percent: float) -> float:
    import numpy as np

    return float(np.percentile(values, percent))
