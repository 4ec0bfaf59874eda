"""What `perennial label` writes: a line for each thing that a person said of a live text, the later one counting."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError as RecordMismatch

from perennial.core.errors import SourceError
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
from perennial.records.labelling import LabelledText, standing

TAKEN_BACK = "line that its person took back or replaced later"
HALF_WRITTEN = "last line that was only half written, as when the power failed"
TEXT, LABEL, SPANS, TIME = "text", "label", "spans", "time"


def perennial(export: Export, tally: Tally) -> Iterator[Opinion]:
    """An opinion for each line that counts. All of them are held, as a later line may take back any."""
    lines = dict(_lines(export, tally))
    places = {id(line): number for number, line in lines.items()}
    counting = standing(lines.values())
    if replaced := len(lines) - len(counting):
        tally.leave_out(TAKEN_BACK, export.name, replaced)
    for line in counting:
        if line.skipped:
            tally.leave_out(opinions.SKIPPED, export.at("line", places[id(line)]))
        else:
            yield _opinion(places[id(line)], line)


def _lines(export: Export, tally: Tally) -> Iterator[tuple[int, LabelledText]]:
    for number, line in enumerate(export.stream, 1):
        if not line.strip():
            continue
        try:
            yield number, LabelledText.model_validate(json.loads(line))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            if line.endswith(b"\n"):
                raise _not_a_label(export, number) from error
            tally.leave_out(HALF_WRITTEN, export.at("line", number))
        except RecordMismatch as error:
            raise _not_a_label(export, number) from error


def _not_a_label(export: Export, number: int) -> SourceError:
    return SourceError(
        f"{export.at('line', number)} is not as `perennial label` writes it.",
        remedy="Mend the line or take it out; or, if the file is a plain table, set data.source.format to jsonl.",
    )


def _opinion(number: int, line: LabelledText) -> Opinion:
    return Opinion(
        place=number,
        fields={**line.kept, TEXT: line.text, **({TIME: line.time} if line.time else {})},
        answers=dict(_answers(line)),
        id=line.id,
        annotator=line.annotator,
        time=line.labelled_at.isoformat(),
        submitted=True,
    )


def _answers(line: LabelledText) -> Iterator[tuple[str, Answer]]:
    answer: Any = line.answer
    if line.label is not None:
        yield LABEL, Labels((line.label,))
    elif isinstance(answer, int | float):
        yield LABEL, Number(float(answer))
    elif isinstance(answer, list) and all(isinstance(one, str) for one in answer):
        yield LABEL, Labels(tuple(answer), several=True)
    elif isinstance(answer, list):
        yield SPANS, Spans(tuple(MarkedSpan(one["start"], one["end"], one["label"]) for one in answer))
