"""Tells of each text of a stream whether it is a copy, a near copy or a retelling of one before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from perennial.rows.folding import fold
from perennial.settings.monitor.copies import CopiesSpec
from perennial.stream.copies import likeness
from perennial.stream.copies.likeness import WeighedWording
from perennial.stream.copies.memory import Story, StoryMemory
from perennial.stream.copies.slots import BandSlots
from perennial.stream.copies.wording import LETTERS, TextWording, bare, lower_case, wording_of
from perennial.stream.live_text import LiveText, Telling

if TYPE_CHECKING:
    import pyarrow as pa

TOGETHER = 1_000
"""Texts that are hashed at a time."""
_HOUR = timedelta(hours=1)


def _never_asked(word: str) -> float:
    """How much a word says where nobody compares by it."""
    return 0.0


@dataclass(frozen=True, slots=True)
class CopyMark:
    """What one text is to those before it."""

    story: str
    """The id of the story's first text."""
    telling: Telling


@dataclass(frozen=True, slots=True)
class _ComparedText:
    """A text as it is compared."""

    id: str
    time: datetime
    bare: str
    wording: TextWording
    places: Sequence[int]


class CopyFinder:
    """Finds copies in a stream; remembers its last `most_remembered` different texts, so that memory is bounded.

    A text is compared with the first and the latest wording of a story, never with a near copy, so that a chain of
    small steps can't join what has nothing in common. What is found depends on the texts and their order alone.
    """

    def __init__(self, settings: CopiesSpec) -> None:
        self._near = settings.near
        self._retellings = settings.retellings
        self._days = timedelta(days=settings.days)
        self._memory = StoryMemory(settings.most_remembered)
        self._slots = BandSlots(settings.most_remembered)
        self._now: datetime | None = None

    def __len__(self) -> int:
        """Texts that are remembered."""
        return len(self._memory)

    def mark(self, texts: Sequence[LiveText], entities: Sequence[Sequence[str]] | None = None) -> list[CopyMark]:
        """Of each text, in order, the story it tells and how; each is remembered for those after it.

        `entities`: those found in each text, as written. Where there are none, its capitals say what is a name.
        """
        named = entities if entities is not None else [()] * len(texts)
        marks = list[CopyMark]()
        for start in range(0, len(texts), TOGETHER):
            some = texts[start : start + TOGETHER]
            read = self._read([(one.id, one.text, one.time) for one in some], named[start : start + TOGETHER])
            marks.extend(self._mark(text) for text in read)
        return marks

    def remember(self, table: pa.Table) -> None:
        """Know the texts of stored rows (`stored_schema`), in order, with the stories that they were given."""
        for batch in table.select(["id", "text", "time", "story", "telling", "entities"]).to_batches(TOGETHER):
            rows = batch.to_pylist()
            read = self._read(
                [(row["id"], row["text"], row["time"]) for row in rows], [row["entities"] or () for row in rows]
            )
            for text, row in zip(read, rows, strict=True):
                self._keep(text, CopyMark(row["story"], row["telling"]))

    def _read(
        self, texts: Sequence[tuple[str, str, datetime]], entities: Sequence[Sequence[str]]
    ) -> Iterable[_ComparedText]:
        bares = [bare(text) for _, text, _ in texts]
        letters = [fold(one)[:LETTERS] for one in bares]
        places = self._slots.places(letters)
        for (name, _, time), one, folded, named, where in zip(texts, bares, letters, entities, places, strict=True):
            yield _ComparedText(name, time, one, wording_of(one, self._memory.is_name, folded, named), where)

    def _mark(self, text: _ComparedText) -> CopyMark:
        mark = self._known(text)
        if mark is not None or not self._retellings or text.wording.is_empty:
            return self._keep(text, mark or CopyMark(text.id, "first"))
        weighed = likeness.weighed(text.wording, self._memory.rarity)
        retold = self._retold(weighed, text.time)
        return self._keep(text, CopyMark(retold.id, "retelling") if retold else CopyMark(text.id, "first"), weighed)

    def _known(self, text: _ComparedText) -> CopyMark | None:
        """That it is there before in the same words, or nearly."""
        if text.wording.is_empty:
            return None
        same = self._memory.same(text.wording.key)
        if same is not None and same.story.is_open(text.time, self._days):
            return CopyMark(same.story.id, "copy")
        near = self._nearest(text)
        return None if near is None else CopyMark(near.id, "near copy")

    def _nearest(self, text: _ComparedText) -> Story | None:
        """The story of the wording that `seen` is a near copy of."""
        best, nearest = 0.0, None
        for number in sorted(self._slots.found(text.places), reverse=True):
            old = self._memory.at(number)
            if old is None or old.weighed is None or not old.story.is_open(text.time, self._days):
                continue
            overlap = likeness.are_near(text.wording, old.weighed.wording, self._near)
            if overlap is not None and overlap > best:
                best, nearest = overlap, old.story
        return nearest

    def _retold(self, new: WeighedWording, at: datetime) -> Story | None:
        """The story that `new`, of that time, tells in other words."""
        asked: dict[str, Story] = {}
        for number in self._memory.having(new):
            old = self._memory.at(number)
            if old is not None and old.story.is_open(at, self._days):
                asked.setdefault(old.story.id, old.story)
        best, retold = 0.0, None
        for story in asked.values():
            odds = self._odds(new, story, at)
            if odds > best:
                best, retold = odds, story
        return retold

    def _odds(self, new: WeighedWording, story: Story, at: datetime) -> float:
        """Log odds that `new` tells `story`: by its first wording or its latest, neither of which may gainsay it."""
        best = likeness.UNLIKELY
        for number in {story.first, story.latest}:
            old = self._memory.at(number)
            if old is None or old.weighed is None:
                continue
            odds = likeness.odds(new, old.weighed, abs(at - old.time) / _HOUR)
            if odds <= likeness.UNLIKELY:
                return odds
            best = max(best, odds)
        return best

    def _keep(self, text: _ComparedText, mark: CopyMark, weighed: WeighedWording | None = None) -> CopyMark:
        """Remember `text`, whose words say what `weighed` has (None: not known yet), for the texts after it."""
        if self._now is None or text.time > self._now:
            self._now = text.time
            self._memory.open_since(text.time - self._days)
        if mark.telling in ("copy", "near copy"):
            self._memory.again(mark.story, text.time, text.wording.key)
            return mark
        if weighed is None:
            weighed = likeness.weighed(text.wording, self._memory.rarity if self._retellings else _never_asked)
        number = self._memory.add(mark.story, text.time, text.wording.key, weighed, lower_case(text.bare))
        self._slots.put(text.places, number)
        return mark
