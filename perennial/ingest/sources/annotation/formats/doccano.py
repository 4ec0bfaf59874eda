"""doccano's JSON, JSONL and CSV. Its page writes offsets in UTF-16 units, and no export says who annotated, or what."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perennial.ingest.sources.annotation import opinions
from perennial.ingest.sources.annotation.formats.delimited_rows import delimited_rows
from perennial.ingest.sources.annotation.opinions import Answer, Export, Labels, MarkedSpan, Opinion, Spans, Tally
from perennial.ingest.sources.json_files.json_items import json_items

OWN = ("id", "label", "entities", "relations", "cats", "Comments")
"""doccano's own keys; all others are the texts' own."""
SHARED = "all"
"""The name of the file of a project whose members share their labels; else each has one under their own name."""
SEPARATOR = "#"
_SPLIT = (
    f"cell with a {SEPARATOR}, read as several labels; doccano's CSV writes a {SEPARATOR} inside a label's name "
    "alike (its JSONL tells them apart)"
)
_ONE_NAME = (
    f"cell with a {SEPARATOR} that was taken for part of a label's name, as what it parts occurs nowhere apart "
    "(doccano's JSONL tells)"
)
_LONE = 2
"""Different labels that must stand alone somewhere before any is taken to hold the separator."""


def doccano(export: Export, tally: Tally) -> Iterator[Opinion]:
    """JSON or JSONL: labels, spans, or both with relations."""
    annotator = _annotator(export)
    for number, row in json_items(export.stream, export.name):
        where = export.at("text", number)
        if relations := row.get("relations"):
            tally.leave_out(opinions.RELATION, where, len(relations))
        yield from _opinion(number, row, dict(_answers(row)), annotator, where, tally)


def doccano_csv(export: Export, tally: Tally) -> Iterator[Opinion]:
    """CSV: the labels of a text in one cell."""
    annotator = _annotator(export)
    joined = _joined_parts([row.get("label") or "" for _, row in delimited_rows(export)])
    export.stream.seek(0)
    for number, row in delimited_rows(export):
        where = export.at("line", number)
        cell = row.get("label") or ""
        names = _names(cell, joined)
        if len(names) > 1:
            tally.change(_SPLIT, where)
        elif SEPARATOR in cell:
            tally.change(_ONE_NAME, where)
        answers: dict[str, Answer] = {"label": Labels(names, several=len(names) > 1)} if names else {}
        yield from _opinion(number, row, answers, annotator, where, tally)


Pair = tuple[str, str]


def _joined_parts(cells: Sequence[str]) -> set[Pair]:
    """Neighbouring parts of cells that occur nowhere without each other, where other labels do stand alone."""
    parts_of = {cell: cell.split(SEPARATOR) for cell in dict.fromkeys(cells) if cell}
    if sum(SEPARATOR not in cell for cell in parts_of) < _LONE:
        return set()
    holders: dict[str, set[str]] = {}
    for cell, parts in parts_of.items():
        for part in parts:
            holders.setdefault(part, set()).add(cell)
    pairs = {pair for parts in parts_of.values() for pair in itertools.pairwise(parts)}
    return {(one, other) for one, other in pairs if holders[one] == holders[other]}


def _names(cell: str, joined: set[Pair]) -> tuple[str, ...]:
    """The labels of a cell; an empty part, as of `C#`, belongs to the one before it."""
    names: list[str] = []
    before = ""
    for part in cell.split(SEPARATOR) if cell else ():
        if names and (not part or (before, part) in joined):
            names[-1] += SEPARATOR + part
        else:
            names.append(part)
        before = part
    return tuple(names)


def _annotator(export: Export) -> str | None:
    stem = export.name.rsplit("/", 1)[-1].split(".", 1)[0]
    return None if stem == SHARED else stem


def _opinion(
    number: int, row: Mapping[str, Any], answers: dict[str, Answer], annotator: str | None, where: str, tally: Tally
) -> Iterator[Opinion]:
    fields = {name: value for name, value in row.items() if name not in OWN}
    row_id = None if row.get("id") in (None, "") else str(row["id"])
    yield Opinion(place=number, fields=fields, answers=answers, id=row_id, annotator=annotator)


def _answers(row: Mapping[str, Any]) -> Iterator[tuple[str, Answer]]:
    given = row.get("label") or ()
    if given and all(isinstance(one, list) and len(one) == 3 for one in given):
        yield "label", Spans(tuple(MarkedSpan(int(start), int(end), str(label)) for start, end, label in given))
    elif given:
        names = tuple(map(str, given))
        yield "label", Labels(names, several=len(names) > 1)
    if entities := row.get("entities"):
        yield "entities", Spans(tuple(map(_entity, entities)))
    if cats := row.get("cats"):
        yield "cats", Labels(tuple(map(str, cats)), several=len(cats) > 1)


def _entity(value: Any) -> MarkedSpan:
    if isinstance(value, Mapping):
        return MarkedSpan(int(value["start_offset"]), int(value["end_offset"]), str(value["label"]))
    start, end, label = value
    return MarkedSpan(int(start), int(end), str(label))
