"""Prodigy's JSONL: a line for each answer, of which only those count that were accepted."""

from collections.abc import Iterator, Mapping
from typing import Any

from perennial.ingest.sources.annotation import opinions
from perennial.ingest.sources.annotation.opinions import Answer, Export, Labels, MarkedSpan, Opinion, Spans, Tally
from perennial.ingest.sources.json_files.json_items import json_items

_REASONS = {"reject": opinions.REJECTED, "ignore": opinions.IGNORED}
_OWN = frozenset(
    {"answer", "accept", "options", "label", "spans", "tokens", "relations", "config", "meta", "style", "html", "image"}
)


def prodigy(export: Export, tally: Tally) -> Iterator[Opinion]:
    """An opinion for each accepted line. What was rejected says what a text is not, which is no label."""
    for number, row in json_items(export.stream, export.name):
        where = export.at("line", number)
        answer = row.get("answer", "accept")
        if answer != "accept":
            tally.leave_out(_REASONS.get(answer, opinions.IGNORED), where)
            continue
        if relations := row.get("relations"):
            tally.leave_out(opinions.RELATION, where, len(relations))
        yield Opinion(
            place=number,
            fields={name: value for name, value in row.items() if name not in _OWN and not name.startswith("_")},
            answers=dict(_answers(row)),
            id=None if row.get("_input_hash") is None else str(row["_input_hash"]),
            annotator=row.get("_annotator_id") or row.get("_session_id"),
            time=None if row.get("_timestamp") is None else str(row["_timestamp"]),
            submitted=True,
        )


def _answers(row: Mapping[str, Any]) -> Iterator[tuple[str, Answer]]:
    if "accept" in row or "options" in row:
        names = tuple(map(str, row.get("accept") or ()))
        style = (row.get("config") or {}).get("choice_style")
        yield "label", Labels(names, several=style == "multiple" or len(names) > 1)
    elif isinstance(row.get("label"), str):
        yield "label", Labels((row["label"],))
    if "spans" in row:
        yield "spans", Spans(tuple(_marks(row)))


def _marks(row: Mapping[str, Any]) -> Iterator[MarkedSpan]:
    for span in row["spans"] or ():
        if type(span.get("start")) is int and type(span.get("end")) is int:
            yield MarkedSpan(span["start"], span["end"], str(span.get("label") or ""), span.get("text"))
