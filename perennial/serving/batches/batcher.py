"""Dynamic batches: what comes while the model is busy is answered together, next. Nothing waits for company.

As many batches are computed at once as the model has cores to give each its own: so no core waits for another, nor all
of them for what is done between batches. A batch takes rows of those that wait, each caller in its turn (`fair_queue`):
short requests are answered at once beside long ones, and a long one takes several batches, one after the other. The
predictor sorts what it gets by length.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from perennial.core.errors import PackageError
from perennial.inference import cpu
from perennial.inference.decoders import Input
from perennial.serving import problems
from perennial.serving.batches.fair_queue import Answers, FairQueue, Job
from perennial.serving.batches.together import Asked, answers_of
from perennial.serving.current import LoadedVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.tracing import Tracing
from perennial.settings.serving import ServingSpec

LOG = logging.getLogger(__name__)


class Batcher:
    """Rows that wait for the model, and the threads that answer them. To be used in one event loop."""

    def __init__(self, settings: ServingSpec, figures: ServingMetrics, tracing: Tracing | None = None) -> None:
        self._settings, self._figures, self._tracing = settings, figures, tracing
        self._waiting = FairQueue()
        self._let_in: set[Job] = set()
        self._rows = 0
        self._under_way = 0
        """Batches that are being computed."""
        self._changed = asyncio.Event()
        """A batch may be due: a request came, or a batch was answered."""
        self._threads = ThreadPoolExecutor(settings.threads or cpu.cores(), thread_name_prefix="model")

    async def answer(self, served: LoadedVersion, inputs: Sequence[Input], caller: str = "") -> Answers:
        """The answers of `served` to `inputs`, in order, in JSON's types. `caller`: with whom they share their turns.

        Raises RequestProblem when too many rows wait already and none of them has to make room, when these had to for
        another caller, or when the model fails on these. Cancelled, when nobody waits for the answers any more, it
        drops what was not given to the model yet.
        """
        self._make_room(caller, len(inputs))
        job = Job(caller, served, inputs, asyncio.get_running_loop().create_future())
        job.context = self._tracing.here() if self._tracing else None
        self._admit(job)
        try:
            return await job.done
        except asyncio.CancelledError:
            self._figures.of(served.model).dropped_rows.inc(job.left)
            raise
        finally:
            # Cancelled, as when its client has gone or draining took too long, it is in the queue still.
            self._dismiss(job)

    async def run(self) -> None:
        """Answer until cancelled."""
        try:
            async with asyncio.TaskGroup() as answering:
                while True:
                    await self._changed.wait()
                    self._changed.clear()
                    while batch := self._taken_batch():
                        answering.create_task(self._answer(batch))
        except Exception as error:
            # Never seen; but nobody must wait for what doesn't come. /healthz tells that this server answers no more.
            LOG.error("The batches ended as the server does not know (%s).", type(error).__name__)  # noqa: TRY400
            for job in self._let_in:
                if not job.done.done():
                    job.done.set_exception(problems.failed(len(job.inputs)))
            raise
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _taken_batch(self) -> list[tuple[Job, int]]:
        """The next batch, if one may begin; its jobs wait no more, as a job is in one batch at a time.

        No more than its part of what waits, where several may begin now.
        """
        most = self._settings.batch_rows
        if (served := self._waiting.next_version()) is None:
            return []
        free = served.predictor.runs_at_once - self._under_way
        if free < 1:
            return []
        if free > 1 and len(self._waiting) > 1:
            most = min(most, -(-self._waiting.rows // min(free, len(self._waiting))))
        batch = self._waiting.next_batch(most)
        for job, _ in batch:
            self._waiting.remove(job)
        self._under_way += 1
        return batch

    async def _answer(self, batch: list[tuple[Job, int]]) -> None:
        try:
            await self._answer_together(batch)
        finally:
            self._under_way -= 1
            for job, _ in batch:
                if not job.done.done():
                    self._waiting.add(job)
            self._changed.set()

    def _make_room(self, caller: str, rows: int) -> None:
        over = self._rows + rows - self._settings.queue_rows
        pushed = self._waiting.to_make_room(caller, rows, over)
        if pushed is None:
            raise problems.busy(self._rows, rows)
        for job in pushed:
            job.done.set_exception(problems.busy(self._rows, job.left))
            self._figures.of(job.served.model).dropped_rows.inc(job.left)
            self._dismiss(job)

    def _admit(self, job: Job) -> None:
        self._waiting.add(job)
        self._let_in.add(job)
        self._changed.set()
        self._count(job, len(job.inputs))

    def _dismiss(self, job: Job) -> None:
        self._waiting.remove(job)
        if job in self._let_in:
            self._let_in.remove(job)
            self._count(job, -len(job.inputs))

    def _count(self, job: Job, rows: int) -> None:
        self._rows += rows
        self._figures.of(job.served.model).queue_rows.inc(rows)

    async def _answer_together(self, batch: list[tuple[Job, int]]) -> None:
        served, started = batch[0][0].served, time.time_ns()
        try:
            answers = await self._ask([(job.served, job.next(rows)) for job, rows in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, the others in the batch must not fail with it
            await self._answer_apart(batch, error)
            return
        self._trace(batch, started, served)
        for (job, _), own in zip(batch, answers, strict=True):
            self._deliver(job, own)

    def _trace(self, batch: list[tuple[Job, int]], started: int, served: LoadedVersion) -> None:
        if self._tracing is None:
            return
        jobs = [(job.context, job.waits_since, rows) for job, rows in batch]
        self._tracing.batch(jobs, started, sum(rows for _, rows in batch), served.version)
        for job, _ in batch:
            job.waits_since = time.time_ns()

    async def _answer_apart(self, batch: list[tuple[Job, int]], error: Exception) -> None:
        if len(batch) == 1:
            self._fail(batch[0][0], error)
            return
        for job, rows in batch:
            try:
                [answers] = await self._ask([(job.served, job.next(rows))])
                self._deliver(job, answers)
            except Exception as failure:  # noqa: BLE001 - as above
                self._fail(job, failure)

    def _fail(self, job: Job, error: Exception) -> None:
        # Other exceptions' messages may hold a text.
        what = error.problem if isinstance(error, PackageError) else type(error).__name__
        said = {"request_id": job.request_id}
        LOG.error("The model could not answer a request of %d rows: %s", len(job.inputs), what, extra=said)
        if not job.done.done():
            job.done.set_exception(problems.failed(len(job.inputs)))

    async def _ask(self, asked: Asked) -> list[Answers]:
        for model in {served.model for served, _ in asked}:
            self._figures.of(model).batch_rows.observe(sum(len(rows) for _, rows in asked))
        return await asyncio.get_running_loop().run_in_executor(self._threads, answers_of, asked)

    def _deliver(self, job: Job, answers: Answers) -> None:
        if job.done.done():
            return
        job.answers += answers
        self._figures.of(job.served.model).rows.inc(len(answers))
        if not job.left:
            job.done.set_result(job.answers)
