"""From a live source to stored, answered texts: read, redacted, answered, copies told, stored, one window at a time.

While a window is answered on all cores, the one before is stored and the next one is read. A window is stored with the
position after it, so that whatever is killed or fails, the next run goes on behind what was stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from perennial.core import progress
from perennial.core.errors import PerennialError, SourceError
from perennial.ingest.forgotten import Sieve
from perennial.settings.monitor.streams import RedactionSpec
from perennial.stream.answering import AnsweredTexts, LiveAnswerer
from perennial.stream.cleaning import CleanTexts, clean
from perennial.stream.live_text import LiveText, Telling, stored_schema
from perennial.stream.store import StreamStore

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW_TEXTS = 8192
"""Texts that are answered at once: enough to sort them by length, and few enough that little is done twice if the
process is killed."""
WINDOW_CHARACTERS = 16_000_000
"""Of a window, from which on it has fewer texts."""

FORGOTTEN = "texts that were forgotten (`perennial forget`)"


class GivenTexts(Protocol):
    """Some texts of a source, and where to go on after them."""

    @property
    def texts(self) -> Sequence[LiveText]:
        """In the source's order."""

    @property
    def position(self) -> str:
        """Where to go on after them."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many were left out, by the sentence that says why."""


class Reader(Protocol):
    """A live source that is open at a position."""

    def batches(self) -> Iterator[GivenTexts]:
        """What is new, in bounded batches. Raises SourceError, after the batches before it."""

    def committed(self, position: str) -> None:
        """Everything before `position` is stored."""


class StoryMark(Protocol):
    """What a text is to those before it."""

    @property
    def story(self) -> str:
        """The id of the story's first text."""

    @property
    def telling(self) -> Telling:
        """What it is of the story."""


class Marker(Protocol):
    """What tells copies and retellings."""

    def mark(self, texts: Sequence[LiveText], entities: Sequence[Sequence[str]] | None) -> Sequence[StoryMark]:
        """A mark for each of `texts`, which are remembered."""


@dataclass
class Intake:
    """What came in, and what became of it."""

    texts: int = 0
    """That the source gave."""
    stored: int = 0
    again: int = 0
    """That were stored before, or came twice."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many texts of the source were left out, by the sentence that says why."""
    redacted: Counter[str] = field(default_factory=Counter)
    """Pieces of personal data taken out, by their kind."""
    labels: Counter[str] = field(default_factory=Counter)
    """Of texts that are stored."""
    tellings: Counter[str] = field(default_factory=Counter)
    trouble: PerennialError | None = None
    """Why the source was not read to its end."""


@dataclass(frozen=True)
class _Window:
    """Texts that are not known yet, and how far the source is read with them."""

    texts: Sequence[LiveText]
    position: str
    left_out: Mapping[str, int]
    read: datetime


_Answered = tuple[_Window, CleanTexts, AnsweredTexts]


def take_in(
    reader: Reader,
    store: StreamStore,
    answerer: LiveAnswerer,
    marker: Marker,
    redaction: RedactionSpec,
    sieve: Sieve | None = None,
) -> Intake:
    """Store all that is new in the source, answered, but what `sieve` knows as forgotten. To be called inside
    `store.alone()`.

    A source that fails on the way is told by `trouble`; what came before is stored. Raises PackageError, StoreError.
    """
    intake = Intake()
    with ThreadPoolExecutor(1, thread_name_prefix="answer") as beside:
        before: Future[_Answered] | None = None
        for window in _windows(reader, store, intake, sieve):
            asked = beside.submit(copy_context().run, _answered, window, answerer, redaction)
            if before is not None:
                _keep(before.result(), reader, store, answerer, marker, intake)
            before = asked
        if before is not None:
            _keep(before.result(), reader, store, answerer, marker, intake)
    return intake


def _windows(reader: Reader, store: StreamStore, intake: Intake, sieve: Sieve | None) -> Iterator[_Window]:
    """What the source gives, in windows of a size that is fast to answer; only texts whose ids are not known."""
    under_way: set[str] = set()
    read = store.newest_read() or datetime.min.replace(tzinfo=UTC)
    for batches in _gathered(reader, intake):
        texts = [text for batch in batches for text in batch.texts]
        fresh = [texts[index] for index in store.unknown([text.id for text in texts])]
        # The window before is not stored yet.
        fresh = [text for text in fresh if text.id not in under_way]
        under_way = {text.id for text in fresh}
        left_out: Counter[str] = Counter()
        for batch in batches:
            left_out.update(batch.left_out)
        if sieve:
            welcome = [text for text in fresh if not sieve.is_of(text.id, text.text)]
            left_out.update({FORGOTTEN: len(fresh) - len(welcome)} if len(welcome) < len(fresh) else {})
            fresh = welcome
        intake.texts += len(texts)
        # Also where the clock went back: who asks for what was read since must not miss any.
        read = max(read, datetime.now(UTC))
        yield _Window(fresh, batches[-1].position, left_out, read)


def _gathered(reader: Reader, intake: Intake) -> Iterator[list[GivenTexts]]:
    waiting, texts, characters = list[GivenTexts](), 0, 0
    batches = reader.batches()
    while (batch := _next(batches, intake)) is not None:
        waiting.append(batch)
        texts += len(batch.texts)
        characters += sum(len(text.text) for text in batch.texts)
        if texts >= WINDOW_TEXTS or characters >= WINDOW_CHARACTERS:
            yield waiting
            waiting, texts, characters = [], 0, 0
    if waiting:
        yield waiting


def _next(batches: Iterator[GivenTexts], intake: Intake) -> GivenTexts | None:
    try:
        return next(batches, None)
    except SourceError as error:
        intake.trouble = error
        return None


def _answered(window: _Window, answerer: LiveAnswerer, redaction: RedactionSpec) -> _Answered:
    cleaned = clean(window.texts, redaction)
    return window, cleaned, answerer.answered([text.text for text in cleaned.texts])


def _keep(
    answered: _Answered, reader: Reader, store: StreamStore, answerer: LiveAnswerer, marker: Marker, intake: Intake
) -> None:
    window, cleaned, answers = answered
    marks = marker.mark(cleaned.texts, _entities(answers))
    rows = stored_rows(cleaned.texts, window.read, answerer.version, answers, marks)
    stored = store.commit(rows, window.position, window.left_out)
    reader.committed(window.position)
    intake.stored += stored
    intake.again = intake.texts - intake.stored
    intake.left_out.update(window.left_out)
    intake.redacted.update(cleaned.redacted)
    intake.labels.update(answers.labels)
    intake.tellings.update(mark.telling for mark in marks)
    progress.advance(intake.stored, unit="text")


def _entities(answers: AnsweredTexts) -> list[Sequence[str]] | None:
    """What copies are told by; None: no model of entities could be asked."""
    if all(one is None for one in answers.entities):
        return None
    return [one or () for one in answers.entities]


def stored_rows(
    texts: Sequence[LiveText], read: datetime, version: str, answers: AnsweredTexts, marks: Sequence[StoryMark]
) -> pa.Table:
    """The rows to store of `texts`, which were read at `read` and answered by `version`; `stored_schema`."""
    import pyarrow as pa

    columns = {
        "id": [text.id for text in texts],
        "text": [text.text for text in texts],
        "time": [text.time for text in texts],
        "read": [read] * len(texts),
        "source": [text.source for text in texts],
        "story": [mark.story for mark in marks],
        "telling": [mark.telling for mark in marks],
        "model": [version] * len(texts),
        "label": answers.labels,
        "score": answers.score,
        "scores": answers.scores,
        "topic": answers.topics,
        "entities": answers.entities,
        "kept": [list(text.kept.items()) for text in texts],
    }
    return pa.Table.from_pydict(columns, schema=stored_schema())
