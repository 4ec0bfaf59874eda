"""Looking at all threads a hundred times a second: which step runs, and which functions call which."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from perennial.core import progress
from perennial.inference.cost import peak_memory

PERIOD_SECONDS = 0.01
BETWEEN = "between steps"
DEEPEST = 200
"""Frames kept of a stack, the innermost."""
# A thread whose innermost Python function is one of these waits for something.
WAITING = {
    *(("threading.py", "wait"), ("threading.py", "join"), ("threading.py", "_wait_for_tstate_lock")),
    *(("selectors.py", "select"), ("queue.py", "get"), ("socket.py", "accept"), ("thread.py", "_worker")),
    *(("subprocess.py", "_try_wait"), ("connection.py", "poll")),
}

Stack = tuple[str, ...]
"""Functions from the outermost to the innermost, as "module:function"; a step's name comes first."""


@dataclass(frozen=True)
class StepCost:
    """What one step took."""

    name: str
    seconds: float
    cpu_seconds: float
    """Of all threads of this process; more than `seconds` where several cores worked."""
    peak_mb: float
    """The most memory that the process had held by its end, in MB (10⁶ bytes)."""


@dataclass(frozen=True)
class Profile:
    """What was seen of a run."""

    stacks: dict[Stack, int]
    """How often each stack was seen."""
    steps: tuple[StepCost, ...]
    """In the order they ended, BETWEEN last."""

    def seconds_in(self, step: str) -> Counter[str]:
        """Seconds in each function itself, not what it calls, while `step` ran; of all working threads together."""
        samples_of: Counter[str] = Counter()
        for stack, samples in self.stacks.items():
            if stack[0] == step:
                samples_of[stack[-1]] += samples
        seconds = sum(each.seconds for each in self.steps if each.name == step)
        # Samples come later than planned where a function holds the interpreter for long; shares are right even so.
        scale = seconds / max(1, sum(samples_of.values()))
        return Counter({name: samples * scale for name, samples in samples_of.items()})


class Sampler:
    """Hears which step runs, passes it on, and samples stacks from a thread of its own."""

    def __init__(self, heard: progress.Listener) -> None:
        """`heard`: who listens already, and goes on hearing everything."""
        self._heard = heard
        self._stacks: Counter[Stack] = Counter()
        self._steps: list[StepCost] = []
        self._step = BETWEEN
        self._begun = self._started = (time.perf_counter(), time.process_time())
        self._profile = Profile({}, ())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="profile", daemon=True)

    def begin(self, step: str) -> None:
        """From now on `step` runs."""
        self._step, self._begun = step, (time.perf_counter(), time.process_time())
        self._heard.begin(step)

    def end(self, step: str, seconds: float, done: bool) -> None:
        """`step` has ended; its costs are known."""
        self._steps.append(self._cost(step, self._begun))
        self._step = BETWEEN
        self._heard.end(step, seconds, done)

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        """Pass it on."""
        self._heard.advance(done, total, unit, detail)

    def note(self, message: str) -> None:
        """Pass it on."""
        self._heard.note(message)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> Profile:
        """End, and tell what was seen; a second time the same."""
        if self._stop.is_set():
            return self._profile
        self._stop.set()
        self._thread.join()
        whole = self._cost(BETWEEN, self._started)
        between = StepCost(
            BETWEEN,
            whole.seconds - sum(step.seconds for step in self._steps),
            whole.cpu_seconds - sum(step.cpu_seconds for step in self._steps),
            whole.peak_mb,
        )
        self._profile = Profile(dict(self._stacks), (*self._steps, between))
        return self._profile

    def _cost(self, name: str, since: tuple[float, float]) -> StepCost:
        wall, cpu = since
        return StepCost(name, time.perf_counter() - wall, time.process_time() - cpu, peak_memory())

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            mine = threading.get_ident()
            for thread, frame in sys._current_frames().items():
                if thread != mine and not _waits(frame):
                    self._stacks[(self._step, *_functions(frame))] += 1


@contextmanager
def sampled() -> Iterator[Sampler]:
    """Sample the block. Who listened before goes on hearing it."""
    sampler = Sampler(progress.listener())
    sampler.start()
    try:
        with progress.heard_by(sampler):
            yield sampler
    finally:
        sampler.stop()


def _waits(frame: FrameType) -> bool:
    code = frame.f_code
    return (Path(code.co_filename).name, code.co_name) in WAITING


def _functions(frame: FrameType | None) -> Stack:
    names: list[str] = []
    while frame is not None and len(names) < DEEPEST:
        names.append(f"{frame.f_globals.get('__name__', '?')}:{frame.f_code.co_qualname}")
        frame = frame.f_back
    return tuple(reversed(names))
