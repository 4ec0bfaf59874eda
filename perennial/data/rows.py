"""Rows as a source has them, made canonical: one Arrow schema, with row id, text key, split and UTC time."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from perennial import kinds
from perennial.data import splits
from perennial.data.columns import schema
from perennial.data.sources.base import Batch
from perennial.errors import SourceError
from perennial.spec import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A bare year and YYYYMMDD are not seconds: read as such they would all be in 1970.
_NUMBER = re.compile(r"(?!(?:19|20)\d\d(?:\d{4})?$)-?\d+(?:\.\d+)?(?:[eE]\+?\d+)?$")
_TEXT = {str, type(None)}


def canonical(batch: Batch, spec: PipelineSpec) -> pa.RecordBatch:
    """The rows of `batch` with the columns of `perennial.data.columns.schema(spec)`. No row is dropped.

    Raises SourceError, naming file and line, for a nested value where text is expected, text that is no Unicode, a
    missing or unreadable time and a missing id.
    """
    import pyarrow as pa

    kind, names = kinds.get(spec.kind), spec.data.columns
    content = {role: _typed(batch, getattr(names, role), kind_type) for role, kind_type in kind.column_types().items()}
    times = _times(batch, names.time)
    slices = [_typed(batch, name, pa.string()) for name in names.slices]
    texts = zip(*(content[role].to_pylist() for role in kind.text_columns), strict=True)
    keys, places = splits.keys_and_splits(texts, spec.data.splits)
    ids = _ids(batch, names.id) if names.id else _hashes([*content.values(), times.cast(pa.int64()), *slices])
    files = pa.repeat(batch.file, len(batch.places))
    lines = pa.array(batch.places, pa.int64())
    return pa.RecordBatch.from_arrays(
        [pa.array(ids, pa.string()), pa.array(keys), pa.array(places), *content.values(), times, files, lines, *slices],
        schema=schema(spec),
    )


def texts(batch: Batch, column: str) -> list[str | None]:
    """The cells of `column` as text, None where there is nothing.

    Raises SourceError, naming file and line, for a nested value and text that is no Unicode.
    """
    values = _texts(batch, column)
    _encoded(batch, column, values)
    return values


def _typed(batch: Batch, column: str, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    values = batch.columns[column]
    if pa.types.is_string(kind):
        return _encoded(batch, column, _texts(batch, column))
    try:
        return pa.array([json.loads(value) if isinstance(value, str) else value for value in values], kind)
    except (pa.ArrowException, ValueError, TypeError):
        raise _not_typed(batch, column, kind) from None


def _not_typed(batch: Batch, column: str, kind: pa.DataType) -> SourceError:
    import pyarrow as pa

    row = 0
    for row, value in enumerate(batch.columns[column]):  # noqa: B007
        try:
            pa.array([json.loads(value) if isinstance(value, str) else value], kind)
        except (pa.ArrowException, ValueError, TypeError):
            break
    return SourceError(
        f"{batch.place(row)}: column {column!r} does not hold {kind}, as this kind of task expects.",
        remedy="Mend that row, or name another column under data.columns.",
    )


def _encoded(batch: Batch, column: str, texts: Sequence[str | None]) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError as error:
        row = next(row for row, text in enumerate(texts) if text and not _is_unicode(text))
        raise SourceError(
            f"{batch.place(row)}: column {column!r} holds half a surrogate pair (\\ud800 to \\udfff alone), "
            "which is no Unicode text.",
            remedy="Write the character itself, or both halves; in Python: "
            "text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')",
        ) from error


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(batch: Batch, column: str) -> list[str | None]:
    values = batch.columns[column]
    if set(map(type, values)) <= _TEXT:
        return values  # type: ignore[return-value]  # just checked, at C speed
    return [value if isinstance(value, str) else _text(batch, row, column, value) for row, value in enumerate(values)]


def _text(batch: Batch, row: int, column: str, value: object) -> str | None:
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal | UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{batch.place(row)}: column {column!r} holds bytes that are not UTF-8.",
                remedy="Convert the column to text where it is written.",
            ) from error
    raise SourceError(
        f"{batch.place(row)}: column {column!r} holds a {type(value).__name__}; text was expected.",
        remedy="Name another column under data.columns, or write the value as text.",
    )


def _ids(batch: Batch, column: str) -> list[str]:
    ids = _texts(batch, column)
    _encoded(batch, column, ids)
    for row, value in enumerate(ids):
        if not value:
            raise SourceError(
                f"{batch.place(row)} has no id in column {column!r}; each row needs one of its own.",
                remedy="Fill it in, or leave data.columns.id out: then rows are told apart by their content.",
            )
    return [value for value in ids if value]


def _hashes(columns: Sequence[pa.Array]) -> list[str]:
    import pyarrow.compute as pc

    # Lengths go with the cells, so that no two different rows are spelled alike.
    spelled = pc.binary_join_element_wise(*(_spelled(column) for column in columns), "")
    return [hashlib.blake2b(row.encode(), digest_size=16).hexdigest() for row in spelled.to_pylist()]


def _spelled(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type):
        return pc.binary_join_element_wise(pc.fill_null(column.cast(pa.string()), "None"), "", ",")
    if not pa.types.is_string(column.type):
        column = pa.array([None if cell is None else json.dumps(cell) for cell in column.to_pylist()], pa.string())
    sized = pc.binary_join_element_wise(pc.utf8_length(column).cast(pa.string()), column, ":")
    return pc.fill_null(sized, "-")


def _times(batch: Batch, column: str | None) -> pa.Array:
    import pyarrow as pa

    stamp = pa.timestamp("us", tz="UTC")
    if column is None:
        return pa.nulls(len(batch.places), stamp)
    if {str} == set(map(type, batch.columns[column])):
        for kind in (pa.timestamp("us"), stamp):
            # Arrow's own parser is ten times as fast, where all rows are written plainly and all alike.
            with suppress(ValueError):
                return pa.array(batch.columns[column], pa.string()).cast(kind).cast(stamp)
    return pa.array(_moments(batch, column), stamp)


def _moments(batch: Batch, column: str) -> Iterator[datetime]:
    for row, value in enumerate(batch.columns[column]):
        try:
            yield moment(value)
        except (ValueError, OverflowError) as error:
            shown = str(value)
            seen = "no time" if value is None else f"the time {shown[:40] + '…' * (len(shown) > 40)!r}"
            raise SourceError(
                f"{batch.place(row)} has {seen} in column {column!r}; expected an ISO 8601 date or time, such as "
                "2026-01-31 or 2026-01-31T09:30:00Z, or seconds since 1970.",
                remedy="Mend that cell, or leave data.columns.time out: then rows are told apart by their ids.",
            ) from error


def moment(value: object) -> datetime:
    """The time `value` tells, with its zone (UTC if it names none): ISO 8601 text, epoch seconds, a date or time.

    Raises ValueError or OverflowError for anything else.
    """
    if isinstance(value, str | int) and not isinstance(value, bool):
        text = str(value).strip()
        if not _NUMBER.match(text):
            return _zoned(datetime.fromisoformat(text))
        value = float(text) if "." in text or "e" in text.lower() else int(text)
    if isinstance(value, datetime):
        return _zoned(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        # The largest number Python's datetime holds is the year 9999: milliseconds are refused as they should be.
        return EPOCH + timedelta(seconds=float(value))
    raise ValueError(f"a {type(value).__name__} tells no time")


def from_micros(micros: int) -> datetime:
    """The UTC time `micros` microseconds after 1970."""
    return EPOCH + timedelta(microseconds=micros)


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
