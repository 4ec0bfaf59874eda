"""Rows as a source has them, made live texts: their ids, their times, and what can't be one.

No row stops the others: what is no text is counted and left out, and where a time can't be used the time of reading
stands in.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from perennial.core.errors import SourceError, listing
from perennial.inference.words import is_unicode
from perennial.ingest import row_times
from perennial.ingest.set_aside import FUTURE, NO_TIME, NOT_READ
from perennial.ingest.sources import dotted
from perennial.rows.batch import Batch
from perennial.rows.cells import is_missing
from perennial.stream.live_text import LiveText

if TYPE_CHECKING:
    import pyarrow as pa

EMPTY = "texts that are empty"
NO_TEXT = "rows whose text is a list, an object or bytes"
NOT_UTF8 = "texts that are not UTF-8"
NO_ID = "rows without an id: they are known by time, source and text"
_STANDS_IN = "the time of reading stands in"
TOLD_TIMES = {
    NO_TIME: f"texts without a time: {_STANDS_IN}",
    NOT_READ: f"times that can't be read (monitor.columns.time_format says how they are written): {_STANDS_IN}",
    FUTURE: f"times in the future (data.future_tolerance): {_STANDS_IN}",
}
LONGEST_ID = 500
"""Characters; what is longer is known by its hash."""
_WHOLE = re.compile(r"-?\d+\.0+")
_FIRST = datetime(1, 1, 2)
"""What Python calls a time begins with the year 1."""


@dataclass(frozen=True)
class RowColumns:
    """Which column of a source's rows holds what; None: there is none."""

    text: str
    id: str | None = None
    time: str | None = None
    source: str | None = None
    kept: tuple[str, ...] = ()
    time_format: str | None = None
    needed: tuple[str, ...] = ()
    """Columns without which a table is not read."""

    @property
    def all(self) -> tuple[str, ...]:
        """Each name once."""
        names = (self.text, self.id, self.time, self.source, *self.kept)
        return tuple(dict.fromkeys(name for name in names if name is not None))


@dataclass(frozen=True)
class RowLimits:
    """What a text may be."""

    longest: int
    """Characters of a text."""
    tolerance: timedelta
    """How far after now a time may lie."""


def live_texts(
    batch: Batch, columns: RowColumns, limits: RowLimits, now: datetime
) -> tuple[list[LiveText], Counter[str]]:
    """The texts of `batch`, in its order, and what was left out or stands in, by sentence.

    A column that is not there is one of empty cells. `now`: the time of reading.
    """
    cells = _cells(batch, columns.text)
    left_out = Counter[str]()
    texts = [_text(cell, limits.longest, left_out) for cell in cells]
    good = [row for row, text in enumerate(texts) if text is not None]
    if len(good) < len(texts):
        batch = batch.take(good)
        texts = [texts[row] for row in good]
    written = _cells(batch, columns.time) if columns.time else [None] * len(good)
    times = _times(written, columns, limits, now, left_out)
    sources = list(map(_plain, _cells(batch, columns.source))) if columns.source else [""] * len(good)
    ids = _ids(batch, columns, left_out)
    kept = _kept(batch, columns.kept, len(good))
    rows = zip(texts, ids, times, written, sources, kept, strict=True)
    return [
        LiveText(row_id or content_id(stamp, source, text), text, time, source, extras)
        for text, row_id, time, stamp, source, extras in rows
        if text is not None
    ], left_out


def require_text(name: str, rows: Sequence[object], there: Sequence[str], column: str) -> None:
    """Raises SourceError, for rows without a name of columns of their own: none of `rows` has `column`."""
    if rows and column not in there:
        raise SourceError(
            f"{name}: of the next {len(rows):,} rows none has a {column!r}; they have: "
            f"{listing((one[:30] for one in there), 10) or 'nothing'}. Reading stands before them, so none is lost.",
            remedy="Say in monitor.columns.text where the text is, or mend what writes them.",
        )


def content_id(time: object, source: str, text: str) -> str:
    """The id of a text whose source names none: sha256 (64 hex digits) of its time as written, its source and itself.

    As written, since another reading of the same row would be another text if the time of reading went in.
    """
    spelled = "" if is_missing(time) else str(time)
    return hashlib.sha256(f"{len(spelled)}:{spelled}{len(source)}:{source}{text}".encode(errors="replace")).hexdigest()


def _cells(batch: Batch, name: str) -> Sequence[object]:
    cells = dotted.column_of(batch, name)
    return [None] * len(batch.numbers) if cells is None else cells


def _text(cell: object, longest: int, left_out: Counter[str]) -> str | None:
    if isinstance(cell, str):
        text = cell
    elif isinstance(cell, bool | int | float | Decimal):
        text = _plain(cell)
    elif cell is None:
        text = ""
    else:
        left_out[NO_TEXT] += 1
        return None
    if len(text) > longest:
        left_out[f"texts of more than {longest:,} characters (data.max_text_length)"] += 1
    elif not text or text.isspace():
        left_out[EMPTY] += 1
    elif not (text.isascii() or is_unicode(text)):
        left_out[NOT_UTF8] += 1
    else:
        return text
    return None


def _plain(cell: object) -> str:
    """A cell as text; of a list or an object its JSON, of nothing none. A half of a surrogate pair is a question
    mark."""
    if isinstance(cell, str):
        return cell if cell.isascii() or is_unicode(cell) else cell.encode(errors="replace").decode()
    if is_missing(cell):
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float | Decimal | UUID):
        return str(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bytes):
        return cell.decode(errors="replace")
    import orjson

    return orjson.dumps(cell, default=str).decode()


def _ids(batch: Batch, columns: RowColumns, left_out: Counter[str]) -> Sequence[str]:
    if columns.id is None:
        return [""] * len(batch.numbers)
    ids = [_id(cell) for cell in _cells(batch, columns.id)]
    if missing := ids.count(""):
        left_out[NO_ID] += missing
    return ids


def _id(cell: object) -> str:
    spelled = _plain(cell).strip()
    if spelled.endswith("0") and _WHOLE.fullmatch(spelled):
        # As a column of floats writes a whole number.
        return spelled.partition(".")[0]
    return spelled if len(spelled) <= LONGEST_ID else hashlib.sha256(spelled.encode()).hexdigest()


def _kept(batch: Batch, names: Sequence[str], count: int) -> Sequence[dict[str, str]]:
    if not names:
        return [{}] * count
    columns = [list(map(_plain, _cells(batch, name))) for name in names]
    return [
        {name: cell for name, cell in zip(names, cells, strict=True) if cell} for cells in zip(*columns, strict=True)
    ]


def _times(
    written: Sequence[object], columns: RowColumns, limits: RowLimits, now: datetime, left_out: Counter[str]
) -> Sequence[datetime]:
    if columns.time is None or not written:
        return [now] * len(written)
    try:
        read = row_times.row_times(written, now + limits.tolerance, columns.time_format)
    except row_times.NoTimesError:
        missing = sum(map(is_missing, written))
        left_out.update({TOLD_TIMES[NO_TIME]: missing, TOLD_TIMES[NOT_READ]: len(written) - missing})
        return [now] * len(written)
    for why, rows in read.unusable.items():
        left_out[TOLD_TIMES[why]] += len(rows)
    return _as_datetimes(read.times, now, left_out)


def _as_datetimes(times: pa.Array, now: datetime, left_out: Counter[str]) -> Sequence[datetime]:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = times.cast(pa.timestamp("us"))
    before = pc.fill_null(pc.less(plain, pa.scalar(_FIRST, plain.type)), False)
    if pc.any(before).as_py():
        left_out[TOLD_TIMES[NOT_READ]] += pc.sum(before).as_py()
        plain = pc.if_else(before, pa.scalar(None, plain.type), plain)
    filled = pc.fill_null(plain, pa.scalar(now.astimezone(UTC).replace(tzinfo=None), plain.type))
    return [time.replace(tzinfo=UTC) for time in filled.to_pylist()]
