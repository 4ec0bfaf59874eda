"""Reading a live source: texts in batches, each with the position from which reading goes on after it.

A batch may be read twice, when the process dies before it was stored, but none is passed over: the position is stored
with the rows, and rows that are known by their ids are dropped there. So each is stored exactly once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.core.masking import mask_secrets
from perennial.ingest.sources.base import BATCH_BYTES, BATCH_ROWS
from perennial.rows.batch import Batch
from perennial.stream.live_text import LiveText
from perennial.stream.sources.live_rows import RowColumns, RowLimits, live_texts

CLOCKS_DIFFER = timedelta(minutes=1)
"""So far a machine's clock may be set back without a word."""
MOST_SENTENCES = 50
"""Different sentences that one batch says; the others are one."""
OTHERS = "other things, of which these are too many kinds to be told"


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Some texts, and where to go on after them."""

    texts: tuple[LiveText, ...]
    position: str
    """JSON; opaque to who stores it."""
    left_out: Mapping[str, int]
    """What was left out or stands in for something, as a sentence without any text of a row, and how often."""


@dataclass(frozen=True)
class SourceChunk:
    """Some rows as a source has them."""

    rows: Batch | None
    at: Any
    """Where to go on after them, as JSON has it; the source may change it once it is asked for the next chunk."""
    left_out: Mapping[str, int] = field(default_factory=dict)


class ChunkSource(Protocol):
    """What each source is to the reader."""

    def chunks(self, at: Any) -> Iterator[SourceChunk]:
        """What is there now, from `at` on; None: from the beginning. Raises SourceError."""

    def committed(self, at: Any) -> None:
        """Everything before `at` is stored."""

    def close(self) -> None:
        """Nothing more is asked."""


class LiveReader:
    """A live source that is open."""

    def __init__(
        self, kind: str, source: ChunkSource, columns: RowColumns, limits: RowLimits, position: str | None
    ) -> None:
        """`kind`: monitor.source.type. Raises SourceError for a position that is none."""
        self._kind = kind
        self._source = source
        self._columns = columns
        self._limits = limits
        self._at, self._read_last = _parsed(position, kind)

    def batches(self) -> Iterator[ReadBatch]:
        """What is new, to the end that it had when reading began, in bounded batches; none: there is nothing new.

        Raises SourceError when the source can't be read, UnreachableError when it may be in a minute: what came before
        was given, and what is not committed comes again.
        """
        if back := self._clock_went_back():
            yield ReadBatch((), self._position(self._at), back)
        gathered = _Gathered()
        try:
            with _told_of_monitor():
                for chunk in self._source.chunks(self._at):
                    self._add(gathered, chunk)
                    if gathered.is_full:
                        yield self._batch(gathered)
                        gathered = _Gathered()
        except SourceError:
            if gathered.any:
                yield self._batch(gathered)
            raise
        if gathered.any:
            yield self._batch(gathered)

    def committed(self, position: str) -> None:
        """Everything up to `position` is stored: a broker is told so. Raises UnreachableError when it is away, which
        loses nothing."""
        with _told_of_monitor():
            self._source.committed(_parsed(position, self._kind)[0])

    def close(self) -> None:
        """Let go of connections."""
        self._source.close()

    def _add(self, gathered: _Gathered, chunk: SourceChunk) -> None:
        gathered.any, gathered.at = True, chunk.at
        gathered.left_out.update(chunk.left_out)
        if chunk.rows is not None:
            texts, left_out = live_texts(chunk.rows, self._columns, self._limits, datetime.now(UTC))
            gathered.texts += texts
            gathered.characters += sum(len(one.text) for one in texts)
            gathered.left_out.update(left_out)

    def _batch(self, gathered: _Gathered) -> ReadBatch:
        return ReadBatch(tuple(gathered.texts), self._position(gathered.at), _in_short(gathered.left_out))

    def _position(self, at: Any) -> str:
        self._read_last = datetime.now(UTC)
        return json.dumps({"source": self._kind, "read": self._read_last.isoformat(), "at": at}, separators=(",", ":"))

    def _clock_went_back(self) -> dict[str, int]:
        if self._read_last is None or datetime.now(UTC) >= self._read_last - CLOCKS_DIFFER:
            return {}
        read_last = self._read_last.isoformat(" ", "minutes")
        return {
            f"time that the clock of this machine was set back: it was {read_last} when texts were read last. Where to "
            "go on does not hang on it; texts that come without a time have the clock's": 1
        }


@dataclass
class _Gathered:
    """Chunks on their way to one batch."""

    texts: list[LiveText] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    at: Any = None
    any: bool = False

    @property
    def is_full(self) -> bool:
        return len(self.texts) >= BATCH_ROWS or self.characters >= BATCH_BYTES


def _parsed(position: str | None, kind: str) -> tuple[Any, datetime | None]:
    """Where to go on, and when texts were read last."""
    if position is None:
        return None, None
    try:
        value = json.loads(position)
        source, read, at = value["source"], datetime.fromisoformat(value["read"]), value["at"]
    except (ValueError, TypeError, KeyError) as error:
        raise SourceError(
            f"What is stored as the position in the live stream is none: {len(position):,} characters that do not say "
            "how far reading was.",
            remedy="Restore the stream's store from a backup, or remove the position: then all is read again, and what "
            "is known is not stored twice.",
        ) from error
    if source != kind:
        progress.note(
            f"Texts were read from a source of type {source} so far, and monitor.source is of type {kind} now: it is "
            "read from its beginning."
        )
        return None, read
    return at, read


@contextmanager
def _told_of_monitor() -> Iterator[None]:
    """What readers of `data.source` say is said of `monitor.source` inside."""
    try:
        yield
    except SourceError as error:
        problem, remedy = (
            text.replace("data.source", "monitor.source").replace("data.columns", "monitor.columns")
            for text in (error.problem, error.remedy)
        )
        raise type(error)(problem, remedy=remedy) from error.__cause__


def _in_short(left_out: Counter[str]) -> dict[str, int]:
    said = {mask_secrets(sentence): count for sentence, count in (+left_out).most_common(MOST_SENTENCES)}
    rest = sum(left_out.values()) - sum(said.values())
    return {**said, OTHERS: rest} if rest else said
