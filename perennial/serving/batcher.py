"""Dynamic batches: what comes while the model is busy is answered together, next. Nothing waits for company.

One thread runs the model, which uses all cores by itself. When it is free it takes a share of every request that waits:
short requests are answered at once beside long ones, and a long one takes several batches. The predictor sorts what it
gets by length.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from perennial.core.errors import PackageError
from perennial.inference.decoders import Input
from perennial.serving import problems
from perennial.serving.current import LoadedVersion
from perennial.serving.metrics import ServingMetrics
from perennial.settings.serving import ServingSpec

LOG = logging.getLogger(__name__)

Answers = list[dict[str, Any]]


@dataclass(eq=False)
class _Job:
    """A request on its way."""

    served: LoadedVersion
    inputs: Sequence[Input]
    done: asyncio.Future[Answers]
    answers: Answers = field(default_factory=list)

    @property
    def left(self) -> int:
        return len(self.inputs) - len(self.answers)

    def next(self, rows: int) -> Sequence[Input]:
        return self.inputs[len(self.answers) : len(self.answers) + rows]


class Batcher:
    """Rows that wait for the model, and the thread that answers them. To be used in one event loop."""

    def __init__(self, settings: ServingSpec, figures: ServingMetrics) -> None:
        self._settings, self._figures = settings, figures
        self._waiting: list[_Job] = []
        self._rows = 0
        self._some = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def answer(self, served: LoadedVersion, inputs: Sequence[Input]) -> Answers:
        """The answers of `served` to `inputs`, in order, in JSON's types.

        Raises RequestProblem when too many rows wait already, or the model fails on these. Cancelled, when nobody waits
        for the answers any more, it drops what was not given to the model yet.
        """
        if self._rows + len(inputs) > self._settings.queue_rows:
            raise problems.busy(self._rows, len(inputs))
        job = _Job(served, inputs, asyncio.get_running_loop().create_future())
        self._admit(job)
        try:
            return await job.done
        except asyncio.CancelledError:
            self._figures.dropped_rows.inc(job.left)
            raise
        finally:
            self._dismiss(job)

    async def run(self) -> None:
        """Answer until cancelled."""
        try:
            while True:
                await self._some.wait()
                await self._answer_together(self._next_batch())
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _admit(self, job: _Job) -> None:
        self._waiting.append(job)
        self._some.set()
        self._count(len(job.inputs))

    def _dismiss(self, job: _Job) -> None:
        # Cancelled, as when its client has gone or draining took too long, it is in the queue still.
        self._forget(job)
        self._count(-len(job.inputs))

    def _forget(self, job: _Job) -> None:
        with suppress(ValueError):
            self._waiting.remove(job)
        if not self._waiting:
            self._some.clear()

    def _count(self, rows: int) -> None:
        self._rows += rows
        self._figures.queue_rows.set(self._rows)

    def _next_batch(self) -> list[tuple[_Job, int]]:
        """Who is next, with how many rows each: the same number for all, and what is left over for the first."""
        room, served = self._settings.batch_rows, self._waiting[0].served
        jobs = [job for job in self._waiting if job.served is served][:room]
        share = room // len(jobs)
        rows = [min(job.left, share) for job in jobs]
        room -= sum(rows)
        for index, job in enumerate(jobs):
            more = min(job.left - rows[index], room)
            rows[index] += more
            room -= more
        return list(zip(jobs, rows, strict=True))

    async def _answer_together(self, batch: list[tuple[_Job, int]]) -> None:
        served = batch[0][0].served
        try:
            answers = await self._ask(served, [one for job, rows in batch for one in job.next(rows)])
        except Exception as error:  # noqa: BLE001 - whatever it is, the others in the batch must not fail with it
            await self._answer_apart(batch, error)
            return
        for job, rows in batch:
            self._deliver(job, answers[:rows])
            answers = answers[rows:]

    async def _answer_apart(self, batch: list[tuple[_Job, int]], error: Exception) -> None:
        if len(batch) == 1:
            self._fail(batch[0][0], error)
            return
        for job, rows in batch:
            try:
                self._deliver(job, await self._ask(job.served, job.next(rows)))
            except Exception as failure:  # noqa: BLE001 - as above
                self._fail(job, failure)

    def _fail(self, job: _Job, error: Exception) -> None:
        # Other exceptions' messages may hold a text.
        what = error.problem if isinstance(error, PackageError) else type(error).__name__
        LOG.error("The model could not answer a request of %d rows: %s", len(job.inputs), what)
        self._forget(job)
        if not job.done.done():
            job.done.set_exception(problems.failed(len(job.inputs)))

    async def _ask(self, served: LoadedVersion, inputs: list[Input] | Sequence[Input]) -> Answers:
        self._figures.batch_rows.observe(len(inputs))
        return await asyncio.get_running_loop().run_in_executor(self._thread, served.predictor.predict, inputs)

    def _deliver(self, job: _Job, answers: Answers) -> None:
        if job.done.cancelled():
            return
        job.answers += answers
        self._figures.rows.inc(len(answers))
        if job.left:
            return
        self._forget(job)
        if not job.done.done():
            job.done.set_result(job.answers)
