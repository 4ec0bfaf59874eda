"""Several processes that serve on one address: one watches over them, starts again what ended, and drains them all.

The one that watches opened the socket and never answers, so that it can't fail with a request. All workers take
connections from its queue: those that wait when a worker ends are another's, which SO_REUSEPORT would have cut off.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

LOG = logging.getLogger(__name__)
FIGURES = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client keeps the figures of several processes; it reads this when it is imported."""
SOON = 5.0
"""Seconds; a worker that ended sooner is started again after a pause."""
LONGEST_PAUSE = 30.0
LOOK = 0.05
"""Seconds between two looks whether a worker has ended."""


@contextmanager
def shared_figures(workers: int) -> Iterator[None]:
    """For the block, figures are kept where all `workers` write and any reads. To be entered before prometheus_client
    is imported; of one worker nothing is shared."""
    if workers == 1:
        yield
        return
    folder, owner = tempfile.mkdtemp(prefix="perennial-figures-"), os.getpid()
    os.environ[FIGURES] = folder
    try:
        yield
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)


def become_worker(count: int, listening: Callable[[], None]) -> Callable[[], None]:
    """Return in each of `count` processes, with what is to be called as soon as it answers.

    The process that called watches over them and never returns: it raises SystemExit when all have ended, with 0 when
    it was told to end. The others are started when the first answers, and `listening` is called then; if the first
    ends before, its exit code is the end of all.
    """
    return _Watch(count, listening).run()


class _Watch:
    def __init__(self, count: int, listening: Callable[[], None]) -> None:
        self._count, self._listening = count, listening
        self._started: dict[int, float] = {}
        """When each worker was started, by its process id."""
        self._failures = 0
        self._told = False
        self._life = os.pipe()
        """Its end tells the workers that whoever watched over them is gone, however that came."""

    def run(self) -> Callable[[], None]:
        ready = self._first()
        if ready is not None:
            return ready
        self._listening()
        next_start = 0.0
        while not self._told:
            if len(self._started) < self._count and time.monotonic() >= next_start:
                worker = self._start()
                if worker is not None:
                    return worker
            for pid in self._ended():
                next_start = time.monotonic() + self._pause(pid)
            time.sleep(LOOK)
        self._drain()
        raise SystemExit(0)

    def _first(self) -> Callable[[], None] | None:
        """In the first worker, what it calls when it answers; in the one that watches None, once it does."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)
        reads, writes = os.pipe()
        worker = self._start(partial(_answers, writes))
        if worker is not None:
            os.close(reads)
            return worker
        os.close(writes)
        # Nothing comes where it ended before, or was told to end.
        answers = b""
        with suppress(OSError):
            answers = os.read(reads, 1)
        os.close(reads)
        if not answers or self._told:
            raise SystemExit(self._drain())
        return None

    def _start(self, ready: Callable[[], None] = lambda: None) -> Callable[[], None] | None:
        pid = os.fork()
        if pid:
            self._started[pid] = time.monotonic()
            return None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._life[1])
        threading.Thread(target=self._end_with_parent, name="parent", daemon=True).start()
        return ready

    def _end_with_parent(self) -> None:
        os.read(self._life[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _tell(self, *_: object) -> None:
        self._told = True
        for pid in list(self._started):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _ended(self) -> list[int]:
        ended = []
        for pid in list(self._started):
            if os.waitpid(pid, os.WNOHANG)[0]:
                _forget_figures(pid)
                ended.append(pid)
        return ended

    def _pause(self, pid: int) -> float:
        """Seconds until another is started for the one that ended."""
        lived = time.monotonic() - self._started.pop(pid)
        self._failures = self._failures + 1 if lived < SOON else 0
        if not self._told:
            LOG.error("A worker ended after %.0f s; another is started in its place.", lived)
        return min(2.0 ** (self._failures - 1), LONGEST_PAUSE) if self._failures else 0.0

    def _drain(self) -> int:
        """Wait for all; the largest exit code."""
        self._tell()
        codes = [0]
        for pid in list(self._started):
            with suppress(ChildProcessError):
                codes.append(abs(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
            _forget_figures(pid)
        return max(codes)


def _answers(writes: int) -> None:
    os.write(writes, b"1")
    os.close(writes)


def _forget_figures(pid: int) -> None:
    """What a worker counted stays; what it held at its end is no more."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
