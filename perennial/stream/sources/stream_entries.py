"""Entries of a stream (Redis, Kafka) as rows: an entry that names no id or time of its own has the stream's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from perennial.ingest.sources.json_files import jsonl
from perennial.rows.batch import Batch
from perennial.rows.cells import is_missing
from perennial.stream.sources.live_rows import RowColumns, require_text

NO_JSON = "entries whose value is no JSON object"
_ID, _TIME = "the stream's id", "the stream's time"


@dataclass(frozen=True)
class StreamEntry:
    """An entry, or message."""

    id: str
    """What names it in the stream, for ever."""
    time: datetime | None
    """When it was added; None: the stream does not say."""
    fields: Mapping[str, Any]


def stream_columns(columns: RowColumns) -> RowColumns:
    """Where the rows of `entry_rows` have what `columns` names."""
    return replace(columns, id=_ID, time=_TIME)


def entry_rows(name: str, entries: Sequence[StreamEntry], columns: RowColumns) -> Batch:
    """The entries as rows, by `stream_columns`. Raises SourceError when there are some, and none has a text."""
    rows = [dict(entry.fields) for entry in entries]
    cells = jsonl.columns_of(rows, columns.all)
    keys = dict.fromkeys(key for row in rows for key in row)
    inside = [columns.text] if any(cell is not None for cell in cells[columns.text]) else []
    require_text(name, rows, [*keys, *inside], columns.text)
    ids = cells[columns.id] if columns.id else [None] * len(rows)
    times = cells[columns.time] if columns.time else [None] * len(rows)
    both: dict[str, list[object]] = {
        _ID: [entry.id if is_missing(cell) else cell for entry, cell in zip(entries, ids, strict=True)],
        _TIME: [entry.time if is_missing(cell) else cell for entry, cell in zip(entries, times, strict=True)],
    }
    return Batch(name, "entry", range(len(rows)), {**cells, **both})


def as_text(value: bytes) -> str:
    """A field's text; what is not UTF-8 is told, as text that is none, where rows become texts."""
    return value.decode(errors="surrogateescape")


def json_fields(value: bytes | None, left_out: Counter[str]) -> Mapping[str, Any] | None:
    """The object that `value` is; None: it is none, which is counted."""
    try:
        fields = orjson.loads(value) if value is not None else None
    except ValueError:
        fields = None
    if isinstance(fields, dict):
        return fields
    left_out[NO_JSON] += 1
    return None
