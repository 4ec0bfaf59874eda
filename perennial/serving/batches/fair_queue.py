"""Whose rows are answered next: callers take turns, so that who asks much can't make others wait.

Deficit round robin (Shreedhar and Varghese 1996, "Efficient fair queuing using deficit round robin"): each turn a
caller may spend QUANTUM more characters, and what its next row would cost beyond that is kept for its next turn. So
over time callers get the same share of characters, however many requests, and rows of whatever length, each asks.
Nothing is kept free: who waits alone gets the whole batch.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from perennial.inference.decoders import Input
from perennial.serving.batches.together import may_go_together
from perennial.serving.current import LoadedVersion
from perennial.serving.requests.request_ids import current_request_id

Answers = list[dict[str, Any]]

QUANTUM = 128
"""Characters of a turn: about a sentence. Less would be fairer within a batch and take more turns to fill it."""
LONGEST = 2048
"""Characters that a row counts at most: about what a model reads of one."""
OVERHEAD = 16
"""Characters that a row counts beside its own: an empty one takes time, too."""


@dataclass(eq=False)
class Job:
    """A request on its way: rows to be answered in order, by one version of the model."""

    caller: str
    served: LoadedVersion
    inputs: Sequence[Input]
    done: asyncio.Future[Answers]
    answers: Answers = field(default_factory=list)
    request_id: str = field(default_factory=current_request_id)
    context: Any = None
    """Of its trace; None: there is none."""
    waits_since: int = field(default_factory=time.time_ns)

    @property
    def left(self) -> int:
        """How many rows are not answered yet; they are the last ones."""
        return len(self.inputs) - len(self.answers)

    def next(self, rows: int) -> Sequence[Input]:
        """The first `rows` of those that are left."""
        return self.inputs[len(self.answers) : len(self.answers) + rows]


@dataclass
class _Caller:
    jobs: deque[Job] = field(default_factory=deque)
    allowance: int = 0
    """Characters that it may still spend in this turn."""
    has_turn: bool = False
    """Whether its turn was cut by the end of a batch, and goes on with the next."""


class FairQueue:
    """Jobs that wait, by caller."""

    def __init__(self) -> None:
        self._callers: dict[str, _Caller] = {}
        """In the order of their turns."""
        self._jobs: dict[Job, None] = {}
        """In the order in which they came."""

    def __len__(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    @property
    def rows(self) -> int:
        """Rows that wait, of all jobs."""
        return sum(job.left for job in self._jobs)

    def next_version(self) -> LoadedVersion | None:
        """The version of whose turn it is; None: nobody waits."""
        return next((caller.jobs[0].served for caller in self._callers.values()), None)

    def add(self, job: Job) -> None:
        """Let `job` wait; a caller that had none comes last."""
        self._jobs[job] = None
        self._callers.setdefault(job.caller, _Caller()).jobs.append(job)

    def remove(self, job: Job) -> None:
        """`job` waits no more; nothing happens if it did not wait."""
        if job not in self._jobs:
            return
        del self._jobs[job]
        caller = self._callers[job.caller]
        caller.jobs.remove(job)
        if not caller.jobs:
            # With what it has left of its allowance it would come back with a burst.
            del self._callers[job.caller]

    def to_make_room(self, caller: str, rows: int, room: int) -> list[Job] | None:
        """The jobs to push out so that `room` rows more become free for `rows` of `caller`; None: none may be.

        Of the caller that has most waiting its newest, unless some of it is answered already, and only as long as that
        caller has more than `caller` would have (longest queue drop: Suter et al. 1998, "Design considerations for
        supporting TCP with per-flow queueing"). So who asks little is let in whoever else fills the queue.
        """
        own = self._waiting(caller) + rows
        waiting = {other: self._waiting(other) for other in self._callers if other != caller}
        whole = {other: [job for job in self._of(other) if not job.answers] for other in waiting}
        pushed: list[Job] = []
        while room > 0:
            able = [other for other, count in waiting.items() if whole[other] and count > own]
            if not able:
                return None
            most = max(able, key=lambda other: waiting[other])
            pushed.append(whole[most].pop())
            waiting[most] -= pushed[-1].left
            room -= pushed[-1].left
        return pushed

    def next_batch(self, most: int) -> list[tuple[Job, int]]:
        """Whose rows are next, with how many each, `most` in all: of the version of whose turn it is, and of those
        that go with it."""
        if not self._jobs:
            return []
        served, taken = next(iter(self._callers.values())).jobs[0].served, dict[Job, int]()
        for job in islice(self._turns(served, taken), most):
            taken[job] = taken.get(job, 0) + 1
        return list(taken.items())

    def _turns(self, served: LoadedVersion, taken: dict[Job, int]) -> Iterator[Job]:
        """Each row that is next, as its job; `taken` is how many rows of each were."""
        while names := [name for name in self._callers if self._next_of(name, served, taken)]:
            for name in names:
                yield from self._turn(name, served, taken)
                self._callers[name] = self._callers.pop(name)

    def _turn(self, name: str, served: LoadedVersion, taken: dict[Job, int]) -> Iterator[Job]:
        caller = self._callers[name]
        if not caller.has_turn:
            caller.has_turn, caller.allowance = True, caller.allowance + QUANTUM
        while job := self._next_of(name, served, taken):
            cost = _cost(job.inputs[len(job.answers) + taken.get(job, 0)])
            if cost > caller.allowance:
                break
            caller.allowance -= cost
            # Its jobs take turns by rows, so that a short one does not wait for a long one of the same caller.
            caller.jobs.remove(job)
            caller.jobs.append(job)
            yield job
        caller.has_turn = False
        if job is None:
            caller.allowance = 0

    def _next_of(self, name: str, served: LoadedVersion, taken: dict[Job, int]) -> Job | None:
        jobs = self._callers[name].jobs
        return next((job for job in jobs if may_go_together(job.served, served) and taken.get(job, 0) < job.left), None)

    def _of(self, caller: str) -> list[Job]:
        return [job for job in self._jobs if job.caller == caller]

    def _waiting(self, caller: str) -> int:
        return sum(job.left for job in self._of(caller))


def _cost(row: Any) -> int:
    """Of a text, of both of a pair, or of all tokens."""
    return min(LONGEST, OVERHEAD + (len(row) if isinstance(row, str) else sum(len(part) for part in row)))
