"""Live texts as they pass: the newest of them are held to choose from, and chance draws from all that are new."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MOST_TEXTS = 5_000
"""Held to choose the least sure and the most novel from: the newest."""
MOST_CHARACTERS = 20_000_000
"""Of all held together, so that memory is bounded whatever their length."""
BATCH_ROWS = 500
COLUMNS = ("id", "text", "time", "read", "source", "story", "telling", "score", "scores", "kept")
EMPTY = "text that is empty"
TOO_LONG = "text longer than data.max_text_length"


@dataclass(frozen=True, slots=True)
class PassedText:
    """A stored live text, as far as choosing asks for it."""

    id: str
    text: str
    time: datetime
    source: str
    story: str
    score: float | None
    scores: tuple[float, ...]
    """Of each label; none where the answer has none."""
    kept: Mapping[str, str]


@dataclass
class Passed:
    """What is held of the texts that passed."""

    held: deque[tuple[pa.RecordBatch, int]] = field(default_factory=deque)
    """First tellings, the newest last, and the characters of each batch of them."""
    drawn: list[tuple[float, str, PassedText]] = field(default_factory=list)
    """A heap of the new texts that chance chose: by the negative of their lot, so that the highest lot is on top."""
    new: int = 0
    """Texts that were never looked at before, and can be labelled."""
    left_out: Counter[str] = field(default_factory=Counter)
    last_id: str | None = None
    last_read: datetime | None = None

    def newest(self) -> list[PassedText]:
        """The first tellings that passed last, the newest last."""
        rows = [row for batch, _ in self.held for row in batch.to_pylist(maps_as_pydicts="lossy")]
        return [_passed_text(row) for row in rows[-MOST_TEXTS:]]

    def hold(self, batch: pa.RecordBatch, characters: int) -> None:
        """Hold these, and let go of the oldest that are too many."""
        self.held.append((batch, characters))
        rows = sum(one.num_rows for one, _ in self.held)
        total = sum(size for _, size in self.held)
        while len(self.held) > 1 and (rows - self.held[0][0].num_rows >= MOST_TEXTS or total > MOST_CHARACTERS):
            gone, size = self.held.popleft()
            rows, total = rows - gone.num_rows, total - size

    def draw(self, ids: Sequence[str], rows: pa.RecordBatch, salt: str, slots: int) -> None:
        """Count the texts `rows` as new, and let those with the lowest lots be among the `slots`."""
        self.new += len(ids)
        for index, text_id in enumerate(ids if slots else ()):
            lot = lot_of(text_id, salt)
            if len(self.drawn) < slots or lot < -self.drawn[0][0]:
                [row] = rows.slice(index, 1).to_pylist(maps_as_pydicts="lossy")
                heapq.heappush(self.drawn, (-lot, text_id, _passed_text(row)))
            if len(self.drawn) > slots:
                heapq.heappop(self.drawn)

    def begin_anew(self) -> None:
        """Nothing that passed so far is new after all."""
        self.drawn.clear()
        self.new = 0
        self.left_out.clear()


def lot_of(text_id: str, salt: str) -> float:
    """What chance says of a text, from 0 to 1: the lowest lots are chosen. The same each time, so that chance can't be
    asked twice."""
    drawn = hashlib.blake2b(text_id.encode(), key=salt.encode()[:64], digest_size=8).digest()
    return int.from_bytes(drawn, "big") / 2**64


class Passing:
    """Looks at tables of stored texts in the order in which they were read, each text once."""

    def __init__(
        self, salt: str, slots: int, longest: int, last_id: str | None = None, last_read: datetime | None = None
    ) -> None:
        """`slots`: how many chance chooses at most; `longest`: characters of a text that can be labelled; `last_id`,
        `last_read`: of the last text that was looked at before."""
        self._salt, self._slots, self._longest = salt, slots, longest
        self._last_id, self._last_read = last_id, last_read
        self.passed = Passed(last_id=last_id, last_read=last_read)
        self._met = False

    def look(self, table: pa.Table) -> None:
        """Take the texts of `table`, of which only COLUMNS are read."""
        import pyarrow.compute as pc

        for batch in table.select(COLUMNS).to_batches(max_chunksize=BATCH_ROWS):
            index = -1 if self._met or self._last_id is None else pc.index(batch["id"], self._last_id).as_py()
            if index < 0:
                self._take(batch)
                continue
            self._take(batch.slice(0, index + 1))
            # Whatever the clock said: what was read up to here was looked at before.
            self.passed.begin_anew()
            self._met = True
            self._take(batch.slice(index + 1))

    def _take(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not batch.num_rows:
            return
        texts = pc.fill_null(batch["text"], "")
        lengths, is_new = pc.utf8_length(texts), self._is_new(batch)
        empty = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0)
        long = pc.and_not(pc.greater(lengths, self._longest), empty)
        for what, where in ((EMPTY, empty), (TOO_LONG, long)):
            self.passed.left_out[what] += pc.sum(pc.and_(where, is_new).cast(pa.int64())).as_py() or 0
        good = pc.invert(pc.or_(empty, long))
        firsts = pc.and_(good, pc.fill_null(pc.equal(batch["telling"], "first"), True))
        if (held := batch.filter(firsts)).num_rows:
            self.passed.hold(held, pc.sum(pc.filter(lengths, firsts)).as_py())
        drawn = batch.filter(pc.and_(good, is_new))
        self.passed.draw(drawn["id"].to_pylist(), drawn, self._salt, self._slots)
        self.passed.last_id, self.passed.last_read = batch["id"][-1].as_py(), batch["read"][-1].as_py()

    def _is_new(self, batch: pa.RecordBatch) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._met or self._last_id is None or self._last_read is None:
            return pa.repeat(True, batch.num_rows)
        # The text looked at last may be gone, as it is too old: then later ones are told by the clock.
        return pc.fill_null(pc.greater(batch["read"], pa.scalar(self._last_read, batch["read"].type)), False)


def _passed_text(row: Mapping[str, object]) -> PassedText:
    scores, score, kept = row["scores"], row["score"], row["kept"]
    time = row["time"]
    assert isinstance(time, datetime), f"a stored text has the time {time!r}"  # noqa: S101
    return PassedText(
        id=str(row["id"]),
        text=str(row["text"] or ""),
        time=time,
        source=str(row["source"] or ""),
        story=str(row["story"] or row["id"]),
        score=float(score) if isinstance(score, float | int) else None,
        scores=tuple(float(one) for one in scores) if isinstance(scores, list) else (),
        kept=dict(_texts(kept)),
    )


def _texts(kept: object) -> Iterator[tuple[str, str]]:
    if isinstance(kept, Mapping):
        yield from ((str(name), str(value)) for name, value in kept.items() if value is not None)
