"""Argilla's records, as `Record.to_dict()` and `records.to_json()` write them or as its data sets have them."""

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

_RESPONSES = ".responses"
_STATES = {"draft": opinions.DRAFT, "discarded": opinions.SKIPPED}


def argilla(export: Export, tally: Tally) -> Iterator[Opinion]:
    """An opinion for each person who answered a record. Suggestions are a model's, so they are none."""
    for number, record in json_items(export.stream, export.name):
        where = export.at("record", number)
        people: dict[str | None, dict[str, Answer]] = {}
        for question, responses in _responses(record).items():
            for rank, response in enumerate(responses):
                state = response.get("status") or "submitted"
                if state in _STATES:
                    tally.leave_out(_STATES[state], where)
                    continue
                person = response.get("user_id")
                answer = _answer(response.get("value"))
                if answer is None:
                    tally.leave_out(opinions.UNKNOWN_ANSWER, where)
                else:
                    people.setdefault(str(person or f"person {rank + 1}"), {})[question] = answer
        if not people:
            tally.leave_out(opinions.UNLABELLED, where)
        for person, answers in people.items():
            row_id = record.get("external_id") or record.get("id") or record.get("_server_id")
            yield Opinion(
                place=number,
                fields=_fields(record),
                answers=answers,
                id=None if row_id is None else str(row_id),
                annotator=person,
                submitted=True,
            )


def _responses(record: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    """By question each response with value, user_id and, where it is told, status."""
    nested = record.get("responses")
    if isinstance(nested, Mapping):
        return {question: responses or [] for question, responses in nested.items()}
    if isinstance(nested, list):
        return _by_person(nested)
    flat: dict[str, Sequence[Mapping[str, Any]]] = {}
    for name, values in record.items():
        if name.endswith(_RESPONSES) and isinstance(values, list):
            people = record.get(f"{name}.users") or [None] * len(values)
            states = record.get(f"{name}.status") or [None] * len(values)
            flat[name.removesuffix(_RESPONSES)] = [
                {"value": value, "user_id": person, "status": state}
                for value, person, state in zip(values, people, states, strict=False)
            ]
    return flat


def _by_person(responses: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Mapping[str, Any]]]:
    """As Argilla 1 has them: a list of people's answers, each with the values by question."""
    questions: dict[str, list[Mapping[str, Any]]] = {}
    for response in responses:
        for question, given in (response.get("values") or {}).items():
            value = given.get("value") if isinstance(given, Mapping) else given
            beside = {"user_id": response.get("user_id"), "status": response.get("status")}
            questions.setdefault(question, []).append({"value": value, **beside})
    return dict(questions)


def _fields(record: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(record.get("fields"), Mapping):
        return {**record["fields"], **(record.get("metadata") or {})}
    own = {"id", "_server_id", "status", "inserted_at", "updated_at", "external_id"}
    return {name: value for name, value in record.items() if name not in own and "." not in name}


def _answer(value: Any) -> Answer | None:
    if isinstance(value, str):
        return Labels((value,))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Number(float(value))
    if not isinstance(value, list):
        return None
    if all(isinstance(one, str) for one in value):
        return Labels(tuple(value), several=True)
    if all(isinstance(one, Mapping) and type(one.get("start")) is int and type(one.get("end")) is int for one in value):
        return Spans(tuple(MarkedSpan(one["start"], one["end"], str(one.get("label"))) for one in value))
    return None
