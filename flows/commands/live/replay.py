"""`perennial monitor PIPELINE --replay FILE`: when alarms would have sounded, had the stream been watched then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from flows.commands.live.alarms import alarm_in_words
from flows.commands.predict import loaded
from perennial.core import progress
from perennial.core.errors import SourceError, listing
from perennial.ingest import unlabelled
from perennial.ingest.row_times import NoTimesError, row_times
from perennial.ingest.unlabelled import Chunk
from perennial.monitoring.alarms.backtest import PlantedSurge, Replay, ReplayRow, replay_alarms
from perennial.pipeline_file import loader
from perennial.settings.monitor import MonitorSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.live_text import Telling, stored_schema

if TYPE_CHECKING:
    import pyarrow as pa

LISTS = ("topic", "entities")
"""Columns of a file that are taken as they are, if it has them: a replay asks no other model."""
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
Row = dict[str, Any]
Mark = Callable[[Sequence[Row]], Sequence[tuple[str, Telling]]]
"""From rows in the order of time to each one's story and how it tells it."""


def replay(
    pipeline: str,
    file: Path,
    since: datetime | None = None,
    until: datetime | None = None,
    truth: Path | None = None,
    overrides: Sequence[str] = (),
    mark: Mark | None = None,
) -> Replay:
    """Replay `file` by the settings of `pipeline` and `overrides`; `truth`: a JSON file of what was planted, and when.

    Labels of the file are used if every row has one that the pipeline knows; else the champion answers. `mark` tells
    copies; None: the very same text again within `copies.days` is one. Without an offset times are UTC.
    """
    spec = loader.read_pipeline(loader.find_pipeline(pipeline), overrides)
    monitor = spec.live_stream()
    planted = planted_surges(truth) if truth else ()
    with progress.step("read"):
        rows = list(rows_of_file(file, spec, monitor))
    with progress.step("answer"):
        _answer(rows, spec)
    with progress.step("replay"):
        days = monitor.copies.days
        table = as_stored(rows, mark or (lambda some: exact_copies(some, days)))
        return replay_alarms(spec, table, _aware(since), _aware(until), planted)


def planted_surges(path: Path) -> tuple[PlantedSurge, ...]:
    """What a JSON file says was planted: a list of objects with name, start and end."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return tuple(TypeAdapter(list[PlantedSurge]).validate_python(value))
    except (OSError, ValueError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is something else"
        raise SourceError(
            f"{path} was to hold a JSON list of objects with name, start and end (ISO 8601): {why}.",
            remedy="Mend it, or leave --truth out.",
        ) from error


def rows_of_file(file: Path, spec: PipelineSpec, monitor: MonitorSpec) -> Iterator[Row]:
    """The rows of a file as stored texts have them, but for what models answer; only those with text and time."""
    without = {"text": 0, "time": 0}
    names = monitor.columns
    for chunk in unlabelled.rows_of(file, column=names.text, data=spec.data):
        times = _times(chunk, names.time, file)
        for row, text, time in zip(chunk.rows, chunk.columns["text"], times, strict=True):
            for what, value in (("text", text), ("time", time)):
                without[what] += not value
            if text and time:
                yield _row(row, str(text), time, spec, monitor)
    for what, many in without.items():
        if many:
            progress.note(f"{many:,} rows of {file} have no {what}; they are left out.")


def _times(chunk: Chunk, column: str | None, file: Path) -> list[datetime | None]:
    if column is None or column not in chunk.rows[0]:
        raise SourceError(
            f"{file} was to have the column {column or 'time'!r} with the time of each text; its columns are "
            f"{listing(chunk.rows[0])}.",
            remedy="Name it in monitor.columns.time, or by --set monitor.columns.time=COLUMN.",
        )
    try:
        times: list[datetime | None] = row_times([row[column] for row in chunk.rows], LATEST).times.to_pylist()
    except NoTimesError as error:
        raise SourceError(
            f"{file}: the column {column!r} holds {chunk.rows[error.row][column]!r}, which is no time{error.why}.",
            remedy="Write times as ISO 8601: 2026-03-02T09:30:00Z.",
        ) from error
    return times


def _row(row: Mapping[str, Any], text: str, time: datetime, spec: PipelineSpec, monitor: MonitorSpec) -> Row:
    names = monitor.columns
    return {
        "id": str(row.get(names.id) or "") if names.id else "",
        "text": text,
        "time": time,
        "read": time,
        "source": str(row.get(names.source) or "") if names.source else "",
        "label": row.get(spec.data.columns.label),
        "kept": [(name, str(row[name])) for name in names.kept if row.get(name) not in (None, "")],
        **{name: _as_list(row.get(name)) for name in LISTS},
    }


def _as_list(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if one not in (None, "")]


def _answer(rows: list[Row], spec: PipelineSpec) -> None:
    """Give each row a label: its own, or the champion's answer."""
    labels = set(map(str, spec.data.labels or ()))
    if rows and all(row["label"] is not None and (not labels or str(row["label"]) in labels) for row in rows):
        progress.note("The file's own labels are replayed.")
        return
    predictor = loaded(spec.name, None)
    for start in range(0, len(rows), unlabelled.CHUNK_ROWS):
        some = rows[start : start + unlabelled.CHUNK_ROWS]
        answers = predictor.predict_columns({"text": [row["text"] for row in some]})
        for row, answer in zip(some, answers, strict=True):
            row |= {"label": answer["label"], "score": answer.get("score")}
        progress.advance(start + len(some), len(rows), unit="texts")


def exact_copies(rows: Sequence[Row], days: float) -> list[tuple[str, Telling]]:
    """The very same text again, but for case and white space, within so many days of the last time, is a copy."""
    last: dict[str, tuple[str, datetime]] = {}
    marks: list[tuple[str, Telling]] = []
    for row in rows:
        text = " ".join(row["text"].casefold().split())
        story, time = last.get(text, ("", row["time"]))
        is_copy = bool(story) and row["time"] - time <= timedelta(days=days)
        marks.append((story, "copy") if is_copy else (row["id"], "first"))
        last[text] = (marks[-1][0], row["time"])
    return marks


def as_stored(rows: list[Row], mark: Mark) -> pa.Table:
    """The rows as a table of stored texts, in the order of time."""
    import pyarrow as pa

    rows.sort(key=lambda row: row["time"])
    for number, row in enumerate(rows):
        row["id"] = row["id"] or f"row {number}"
        row["label"] = None if row["label"] is None else str(row["label"])
    for row, (story, telling) in zip(rows, mark(rows), strict=True):
        row |= {"story": story, "telling": telling}
    return pa.Table.from_pylist(rows, stored_schema())


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time


def replayed_as_json(done: Replay) -> dict[str, Any]:
    """The same as one JSON-ready object."""
    return done.model_dump(mode="json")


def replayed_in_words(done: Replay) -> str:
    """The same as a table, and each alarm with its headlines."""
    return "\n".join(_lines(done))


def _lines(done: Replay) -> Iterator[str]:
    widths = listing(f"{minutes:,}" for minutes in done.bucket_minutes)
    yield (
        f"{done.texts:,} texts from {done.first:%Y-%m-%d %H:%M} to {done.last:%Y-%m-%d %H:%M} UTC; surges were looked "
        f"for in {done.months:.1f} months of them, in buckets of {widths or 'no'} minutes."
    )
    yield from done.sentences
    yield ""
    yield from _table(done)
    yield (
        f"Of the {len(done.alarms):,} alarms, {done.expected_false_alarms:.1f} are likely to be chance, by the budget "
        "that was spent."
    )
    for alarm in done.alarms:
        yield ""
        yield alarm_in_words(alarm, with_fate=False)


def _table(done: Replay) -> Iterator[str]:
    heads = ["", "alarms", "a month"] + (["planted", "noticed", "false", "median hours"] if done.planted else [])
    rows = [heads, *(_cells(row, len(done.planted)) for row in done.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        first, *others = row
        yield "  ".join(
            [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        ).rstrip()


def _cells(row: ReplayRow, planted: int) -> list[str]:
    cells = [row.name, f"{row.alarms:,}", f"{row.a_month:.2f}"]
    if row.noticed is None:
        return cells
    hours = "" if row.median_hours is None else f"{row.median_hours:.1f}"
    return [*cells, f"{planted:,}", f"{row.noticed:,}", f"{row.false_alarms:,}", hours]
