"""spaCy's `Doc.to_json()`, one a line or in an array: entities, or spans of a group, and categories."""

from collections.abc import Iterator, Mapping
from typing import Any

from perennial.ingest.sources.annotation.opinions import Answer, Export, Labels, MarkedSpan, Opinion, Spans, Tally
from perennial.ingest.sources.json_files.json_items import json_items

SURE = 0.5
"""A category counts from this score on; people's own are 0 and 1."""
_OWN = frozenset({"ents", "cats", "tokens", "sents", "spans", "_"})


def spacy_json(export: Export, tally: Tally) -> Iterator[Opinion]:
    """An opinion for each document."""
    for number, row in json_items(export.stream, export.name):
        fields = {name: value for name, value in row.items() if name not in _OWN}
        yield Opinion(place=number, fields=fields, answers=dict(_answers(row)), submitted=True)


def categories(cats: Mapping[str, Any]) -> Labels:
    """The categories that hold; several: more than one does."""
    names = tuple(name for name, score in cats.items() if score >= SURE)
    return Labels(names, several=len(names) > 1)


def _answers(row: Mapping[str, Any]) -> Iterator[tuple[str, Answer]]:
    if "ents" in row:
        yield "ents", Spans(tuple(map(_mark, row["ents"] or ())))
    for group, spans in (row.get("spans") or {}).items():
        yield group if group not in ("ents", "cats", "text") else f"spans_{group}", Spans(tuple(map(_mark, spans)))
    if row.get("cats"):
        yield "cats", categories(row["cats"])


def _mark(span: Mapping[str, Any]) -> MarkedSpan:
    return MarkedSpan(int(span["start"]), int(span["end"]), str(span["label"]), span.get("text"))
