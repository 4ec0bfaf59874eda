"""What a person is asked of a text, by the pipeline's kind, and whether what came is an answer to it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal

from perennial import kinds
from perennial.core.errors import PerennialError, SpecError, listing
from perennial.core.record import Record
from perennial.labelling.label_file import labelling_of
from perennial.settings.pipeline import PipelineSpec


class AnswerError(PerennialError):
    """What a person, or their page, sent is no answer to what was asked."""


class AnswerForm(Record):
    """What is asked."""

    asks: Literal["label", "labels", "number", "spans"]
    """One label, any number of labels, a number, or stretches of the text with a label each."""
    labels: tuple[str, ...] = ()
    meanings: Mapping[str, str] = {}
    """Of labels, in a sentence; those that have one."""


def form_of(spec: PipelineSpec) -> AnswerForm:
    """What is asked of this pipeline's texts. Raises SpecError where it can't be asked here."""
    labels, meanings = spec.data.labels, labelling_of(spec).meanings
    if unknown := [label for label in meanings if label not in labels]:
        raise SpecError(
            f"monitor.labelling.meanings names {unknown[0]!r}, and the labels are {listing(labels, 20)}.",
            remedy="Write the label as data.labels has it.",
        )
    asks = kinds.kind_named(spec.kind).asks
    if asks is None or (problem := _why_not(spec)):
        why = f"rows of kind {spec.kind} are not one text each that stands by itself" if asks is None else problem
        raise SpecError(
            f"`perennial label` can't ask for what {spec.name} learns: {why}.",
            remedy=f"`perennial export-annotations {spec.name} FILE --to label-studio` writes them for one that can.",
        )
    return AnswerForm(asks=asks) if asks == "number" else AnswerForm(asks=asks, labels=labels, meanings=meanings)


def _why_not(spec: PipelineSpec) -> str | None:
    if spec.data.columns.one_hot:
        return "its rows have a column for each label (data.columns.one_hot), and a label file has a list of labels"
    if spec.data.columns.tokens is not None:
        return "its rows are words with tags (data.columns.tokens), and a label file has spans"
    return None


def checked(form: AnswerForm, value: Any, text: str) -> dict[str, Any]:
    """`value` as the fields `label` or `answer` of a `LabelledText`. Raises AnswerError when it is none."""
    match form.asks:
        case "label":
            return {"label": _label(form, value)}
        case "labels":
            return {"answer": _labels(form, value)}
        case "number":
            return {"answer": _number(value)}
        case _:
            return {"answer": _spans(form, value, text)}


def _label(form: AnswerForm, value: Any) -> str:
    if not isinstance(value, str) or value not in form.labels:
        raise AnswerError(f"{_shown(value)} is none of the labels.", remedy=f"There are: {listing(form.labels, 50)}.")
    return value


def _labels(form: AnswerForm, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise AnswerError(f"A list of labels was expected, and {_shown(value)} came.")
    given = {_label(form, one) for one in value}
    return [label for label in form.labels if label in given]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise AnswerError(f"A number was expected, and {_shown(value)} came.")
    try:
        number = float(value.strip().replace(",", ".") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise AnswerError(f"{_shown(value)} is no number.", remedy="Write digits, such as 3.5.")
    return number


def _spans(form: AnswerForm, value: Any, text: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise AnswerError(f"A list of spans was expected, and {_shown(value)} came.")
    spans = sorted((_span(form, one, text) for one in value), key=lambda span: (span["start"], span["end"]))
    for before, after in itertools.pairwise(spans):
        if after["start"] < before["end"]:
            raise AnswerError("Two of the spans overlap, which this model can't learn.", remedy="Take one out.")
    return spans


def _span(form: AnswerForm, value: Any, text: str) -> dict[str, Any]:
    start, end = (value.get("start"), value.get("end")) if isinstance(value, dict) else (None, None)
    # true is an int to Python, and no place to JSON.
    if (
        type(start) is not int
        or type(end) is not int
        or not 0 <= start < end <= len(text)
        or not text[start:end].strip()
    ):
        raise AnswerError(f"{_shown(value)} is no stretch of the text.", remedy="Select some words of it.")
    return {"start": start, "end": end, "label": _label(form, value.get("label"))}


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
