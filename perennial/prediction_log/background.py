"""Writing in the background: what comes faster than it is written waits, up to a bound, and is dropped and counted."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from perennial.prediction_log.logged import LoggedAnswers, LogWriter, rows_of

LOG = logging.getLogger("perennial.serving.log")
"""Below the server's own, so that its handler has it."""
SECONDS = 0.5
"""Between two looks at what waits."""
BATCH_ROWS = 2000
ROW_CHARACTERS = 1000
"""Of a text that waits: so many take the room of a row more."""
LONGEST_PAUSE = 60.0
"""Seconds until a writer that failed is tried again, at most."""
ENDING = 10.0


class BackgroundLog:
    """Rows that wait to be written, and the thread that writes them."""

    def __init__(
        self,
        writer: LogWriter,
        queue_rows: int,
        *,
        texts: bool,
        redact: Callable[[str], str] | None = None,
        dropped: Callable[[int], None] = lambda rows: None,
    ) -> None:
        """`dropped` is told how many rows were not written, each time some are."""
        self._writer, self._most, self._texts, self._redact, self._dropped = writer, queue_rows, texts, redact, dropped
        self._waiting: deque[LoggedAnswers] = deque()
        self._weight = 0
        self._lock = threading.Lock()
        self._lost = 0
        self._pause = 0.0
        self._try_at = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="prediction log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, logged: LoggedAnswers) -> None:
        """Let `logged` wait to be written; returns at once."""
        # Texts that are not to be written wait for nothing, and long ones take the room of several rows.
        kept = logged if self._texts else replace(logged, inputs=())
        weight = _weight(kept)
        with self._lock:
            if self._weight + weight <= self._most:
                self._waiting.append(kept)
                self._weight += weight
                return
        self._lose(len(logged.answers))

    def end(self) -> None:
        """Write what waits, and close; some seconds at most."""
        self._ended.set()
        self._thread.join(ENDING)

    def _write_on(self) -> None:
        while not self._ended.wait(SECONDS):
            self._write()
        self._try_at = 0.0
        self._write()
        self._attempt(self._writer.close)
        with self._lock:
            left = sum(len(logged.answers) for logged in self._waiting)
        if left:
            self._lose(left)
        self._say_lost()

    def _write(self) -> None:
        if time.monotonic() < self._try_at:
            return
        while batch := self._next():
            rows = [row for logged in batch for row in rows_of(logged, texts=self._texts, redact=self._redact)]
            if not self._attempt(lambda rows=rows: self._writer.write(rows)):  # type: ignore[misc]
                return
            self._done(batch)
        self._attempt(self._writer.tick)
        self._say_lost()

    def _next(self) -> list[LoggedAnswers]:
        """What is written next; it waits on until it is."""
        batch: list[LoggedAnswers] = []
        rows = 0
        with self._lock:
            for logged in self._waiting:
                if batch and rows + len(logged.answers) > BATCH_ROWS:
                    break
                batch.append(logged)
                rows += len(logged.answers)
        return batch

    def _done(self, batch: list[LoggedAnswers]) -> None:
        with self._lock:
            for _ in batch:
                self._weight -= _weight(self._waiting.popleft())

    def _attempt(self, what: Callable[[], None]) -> bool:
        try:
            what()
        except Exception as error:  # noqa: BLE001 - serving goes on; the message may hold an address or a text
            if not self._pause:
                LOG.error("The prediction log can't be written (%s); it is tried again.", type(error).__name__)  # noqa: TRY400
            self._pause = min(LONGEST_PAUSE, max(1.0, 2 * self._pause))
            self._try_at = time.monotonic() + self._pause
            return False
        if self._pause:
            LOG.info("The prediction log is written again.")
        self._pause = 0.0
        return True

    def _lose(self, rows: int) -> None:
        self._dropped(rows)
        with self._lock:
            self._lost += rows

    def _say_lost(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            LOG.warning("%d answers were not written to the prediction log: more waited than may.", lost)


def _weight(logged: LoggedAnswers) -> int:
    characters = sum(len(part) for given in logged.inputs for part in ((given,) if isinstance(given, str) else given))
    return len(logged.answers) + characters // ROW_CHARACTERS
