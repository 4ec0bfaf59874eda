"""Label Studio's JSON: tasks with all their annotations. (JSON_MIN, CSV and TSV: label_studio_rows.)"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perennial.ingest.sources.annotation import opinions
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

SPANS = frozenset({"labels", "hypertextlabels"})
CHOICES = frozenset({"choices", "pairwise", "taxonomy", "ranker"})
NUMBERS = frozenset({"rating", "number"})


def label_studio(export: Export, tally: Tally) -> Iterator[Opinion]:
    """An opinion for each annotation that was submitted, oldest first in each task. Drafts and predictions are none."""
    for number, task in json_items(export.stream, export.name):
        where = export.at("task", number)
        annotations = task.get("annotations", task.get("completions")) or []
        if drafts := task.get("drafts"):
            tally.leave_out(opinions.DRAFT, where, len(drafts))
        if not annotations:
            tally.leave_out(opinions.UNLABELLED, where)
        for annotation in annotations:
            if annotation.get("was_cancelled"):
                tally.leave_out(opinions.SKIPPED, where)
                continue
            yield _opinion(number, task, annotation, where, tally)


def _opinion(number: int, task: Mapping[str, Any], annotation: Mapping[str, Any], where: str, tally: Tally) -> Opinion:
    data = task.get("data") or {}
    return Opinion(
        place=number,
        fields=data,
        answers=answers_of(annotation.get("result") or [], data, where, tally),
        id=_text(task.get("id")),
        annotator=person(annotation.get("completed_by")),
        time=annotation.get("updated_at") or annotation.get("created_at"),
        submitted=True,
    )


def answers_of(
    result: Sequence[Mapping[str, Any]], data: Mapping[str, Any], where: str, tally: Tally
) -> dict[str, Answer]:
    """The answers by question, of an annotation's regions; what no kind learns is counted."""
    answers: dict[str, Answer] = {}
    for region in result:
        question, value, sort = region.get("from_name", ""), region.get("value") or {}, region.get("type", "")
        if sort == "relation":
            tally.leave_out(opinions.RELATION, where)
        elif sort in SPANS:
            marks = tuple(_marks(value, sort, region.get("to_name"), data))
            before = answers.get(question)
            answers[question] = Spans((*before.marks, *marks) if isinstance(before, Spans) else marks)
        elif sort in CHOICES and "start" not in value:
            before = answers.get(question)
            names = (*(before.names if isinstance(before, Labels) else ()), *_choices(value, sort))
            answers[question] = Labels(names, several=len(names) > 1)
        elif sort in NUMBERS and (number := cells.number(value.get(sort))) is not None:
            answers[question] = Number(number)
        else:
            tally.leave_out(opinions.UNKNOWN_ANSWER, where)
    return answers


def _marks(value: Mapping[str, Any], sort: str, to_name: Any, data: Mapping[str, Any]) -> Iterator[MarkedSpan]:
    offsets = value.get("globalOffsets") or value
    labels = value.get(sort) or value.get("labels") or []
    start, end = offsets.get("start"), offsets.get("end")
    if type(start) is int and type(end) is int:
        for label in labels:
            yield MarkedSpan(start, end, str(label), value.get("text"), to_name if to_name in data else None)


def _choices(value: Mapping[str, Any], sort: str) -> tuple[str, ...]:
    if sort == "pairwise":
        return (str(value.get("selected")),) if value.get("selected") else ()
    given = value.get(sort) or []
    # A taxonomy's choice is the path to it.
    return tuple("/".join(map(str, one)) if isinstance(one, list) else str(one) for one in given)


def person(value: Any) -> str | None:
    """Who annotated, as the export tells it: a number, or an object of which only the number is taken."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return _text(value)


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)
