"""`python -m perennial.inference.cost PACKAGE`: what answering costs, measured in a process that does nothing else.

`perennial.evaluation.serving_cost` sends it the requests below and makes figures of the replies.
"""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perennial.inference.predictor import Predictor
from perennial.inference.process import answer_requests

WARM_UP_ROWS = 4


class Bench:
    """A package and the rows it is asked."""

    def __init__(self, predictor: Predictor) -> None:
        """The rows come with the first request."""
        self._predictor = predictor
        self._inputs: list[Any] = []

    def replies(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the request's `do` asks for, which is the name of a method below."""
        actions: dict[str, Callable[..., dict[str, Any]]] = {
            "warm_up": self.warm_up,
            "time": self.time,
            "answer": self.answer,
        }
        given = {name: value for name, value in request.items() if name != "do"}
        return actions[request["do"]](**given)

    def warm_up(self, inputs: list[Any]) -> dict[str, Any]:
        """Take `inputs`, and tell about how long one takes alone and filled up with padding, in seconds."""
        self._inputs = inputs
        self._predictor.predict(inputs[:WARM_UP_ROWS])
        started = time.perf_counter()
        self._alone(WARM_UP_ROWS)
        between = time.perf_counter()
        self._padded(1)
        return {
            "alone": (between - started) / min(WARM_UP_ROWS, len(inputs)),
            "padded": time.perf_counter() - between,
        }

    def time(self, singles: int, together: int) -> dict[str, Any]:
        """Milliseconds of each of `singles` rows alone, and seconds of `together` rows at once; memory so far."""
        # The first after a pause pays for the pause.
        self._alone(1)
        latencies = []
        for row in self._inputs[:singles]:
            started = time.perf_counter()
            self._predictor.predict([row])
            latencies.append((time.perf_counter() - started) * 1e3)
        started = time.perf_counter()
        self._predictor.predict(self._inputs[:together])
        return {"latencies": latencies, "seconds": time.perf_counter() - started, "peak_memory": peak_memory()}

    def answer(self, rows: int, batches: list[int]) -> dict[str, Any]:
        """The answers to `rows` rows: each alone, each alone with padding, and in a server's batches of each size."""
        served = [self._served(rows, size) for size in batches]
        return {"alone": self._alone(rows), "padded": self._padded(rows), "served": served}

    def _alone(self, rows: int) -> list[dict[str, Any]]:
        return [self._predictor.predict([row])[0] for row in self._inputs[:rows]]

    def _served(self, rows: int, size: int) -> list[dict[str, Any]]:
        """As `perennial.serving.batches.batcher` asks: rows of any length together, which the predictor sorts and fills
        up."""
        order = list(range(len(self._inputs[:rows])))
        # Who comes together is chance, and the same in every run.
        random.Random(size).shuffle(order)  # noqa: S311 - not for secrets
        answers: dict[int, dict[str, Any]] = {}
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            answers.update(
                zip(batch, self._predictor.predict([self._inputs[row] for row in batch], at_once=True), strict=True)
            )
        return [answers[row] for row in range(len(order))]

    def _padded(self, rows: int) -> list[dict[str, Any]]:
        width = self._predictor.package.max_length
        return [self._predictor.predict([row], width=width)[0] for row in self._inputs[:rows]]


def peak_memory() -> float:
    """The most memory that this process has held at once, in MB (10⁶ bytes)."""
    try:
        # Not getrusage: there a process begins with the peak of the one that started it.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    answer_requests(lambda package: Bench(Predictor(package)).replies)
