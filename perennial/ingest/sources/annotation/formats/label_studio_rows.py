"""Label Studio's JSON_MIN, CSV and TSV: a row for each annotation, a column for each question beside the task's own."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perennial.ingest.sources.annotation import opinions
from perennial.ingest.sources.annotation.formats.delimited_rows import delimited_rows
from perennial.ingest.sources.annotation.opinions import (
    Answer,
    Export,
    Labels,
    MarkedSpan,
    Number,
    Opinion,
    Spans,
    Tally,
)
from perennial.ingest.sources.json_files.json_items import json_items
from perennial.rows import cells

OWN = ("annotation_id", "annotator", "created_at", "id", "lead_time", "updated_at")
"""Label Studio's own columns, in each of the three."""
_NUMBERS = ("rating", "number")


def label_studio_min(export: Export, tally: Tally) -> Iterator[Opinion]:
    """JSON_MIN: the questions stand between `id` and `annotator`, the task's own columns before them.

    Where the task has an `id` of its own as its first column, the export puts the task's number there; then nothing
    tells questions from columns but what is in them, as in CSV.
    """
    own_id = next((next(iter(row), None) == "id" for _, row in json_items(export.stream, export.name)), False)
    export.stream.seek(0)
    questions = _questions(row for _, row in json_items(export.stream, export.name)) if own_id else []
    export.stream.seek(0)
    for number, row in json_items(export.stream, export.name):
        yield from _opinion(export, number, row, questions if own_id else _between(row), tally, "task")


def _between(row: Mapping[str, Any]) -> list[str]:
    names = list(row)
    first, behind = (names.index(name) if name in names else len(names) for name in ("id", "annotator"))
    return names[first + 1 : behind]


def label_studio_csv(export: Export, tally: Tally) -> Iterator[Opinion]:
    """CSV or TSV: nothing tells questions from the task's own columns but what is in them."""
    questions = _questions(row for _, row in delimited_rows(export))
    export.stream.seek(0)
    for number, row in delimited_rows(export):
        yield from _opinion(export, number, row, questions, tally, "line")


def _questions(rows: Iterator[Mapping[str, Any]]) -> list[str]:
    """Columns that hold regions or choices in some row, or whose cells differ between two rows of one task.

    Its `id` alone is not enough to know a task by: it is the user's own where the task has one.
    """
    first: dict[Any, Mapping[str, Any]] = {}
    names: set[str] = set()
    for row in rows:
        others = [name for name in row if name not in OWN and name not in names]
        before = first.setdefault((row.get("id"), _longest_text(row)), row)
        names |= {name for name in others if before.get(name) != row[name] or _is_answer(cells.nested(row[name]))}
    return sorted(names)


def _longest_text(row: Mapping[str, Any]) -> str:
    texts = [value for name, value in row.items() if name not in OWN and isinstance(value, str)]
    return max((text for text in texts if not _is_answer(cells.nested(text))), key=len, default="")


def _is_answer(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("choices"), list)
    return isinstance(value, list) and bool(value) and all(map(_is_region, value))


def _is_region(value: Any) -> bool:
    return isinstance(value, Mapping) and ("labels" in value or any(name in value for name in _NUMBERS))


def _opinion(
    export: Export, number: int, row: Mapping[str, Any], questions: Sequence[str], tally: Tally, unit: str
) -> Iterator[Opinion]:
    where = export.at(unit, number)
    if row.get("annotator") in (None, ""):
        tally.leave_out(opinions.UNLABELLED, where)
        return
    fields = {name: value for name, value in row.items() if name not in (*questions, *OWN)}
    answers = {name: _answer(cells.nested(row[name])) for name in questions if row.get(name) not in (None, "")}
    unknown = [name for name, answer in answers.items() if answer is None]
    if unknown:
        tally.leave_out(opinions.UNKNOWN_ANSWER, where, len(unknown))
    yield Opinion(
        place=number,
        fields=fields,
        answers={name: answer for name, answer in answers.items() if answer is not None},
        id=None if row.get("id") in (None, "") else str(row["id"]),
        annotator=str(row["annotator"]),
        time=row.get("updated_at") or row.get("created_at"),
        submitted=True,
    )


def _answer(value: Any) -> Answer | None:
    if isinstance(value, str):
        return Labels((value,))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Number(float(value))
    if isinstance(value, Mapping):
        choices = value.get("choices")
        return Labels(tuple(map(str, choices)), several=True) if isinstance(choices, list) else None
    if not isinstance(value, list) or not all(map(_is_region, value)):
        return None
    for name in _NUMBERS:
        if value and (number := cells.number(value[0].get(name))) is not None:
            return Number(number)
    return Spans(tuple(itertools.chain.from_iterable(map(_marks, value))))


def _marks(region: Mapping[str, Any]) -> Iterator[MarkedSpan]:
    offsets = region.get("globalOffsets") or region
    start, end = offsets.get("start"), offsets.get("end")
    if type(start) is int and type(end) is int:
        for label in region.get("labels") or []:
            yield MarkedSpan(start, end, str(label), region.get("text"))
