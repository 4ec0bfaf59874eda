"""Predictions as what annotation tools take in: rows with a model's answers, for a person to check and correct."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

from perennial.ingest.unlabelled import as_json_value
from perennial.rows import text_views

LABEL_STUDIO, DOCCANO = "label-studio", "doccano"
TOOLS = (LABEL_STUDIO, DOCCANO)
QUESTION, TEXT, PAIR = "label", "text", "text_pair"
NO_NUMBERS = "doccano has no questions with a number for an answer"
NO_PAIRS = "doccano shows one text at a time, and this model reads two"


@dataclass(frozen=True)
class Answered:
    """A row with what a model says of it."""

    number: int
    """Of the row in what was read, from 1."""
    row: Mapping[str, Any]
    """The columns it came with."""
    texts: Mapping[str, str]
    """What the model read, by canonical column; tokens as one text."""
    answer: Mapping[str, Any]
    certainty: float | None
    """0 to 1; None: the model does not say how sure it is."""


@dataclass
class Losses:
    """What a format can't hold, by row."""

    rows: list[tuple[int, str]] = field(default_factory=list)

    def add(self, number: int, what: str) -> None:
        """`what` of row `number` is not in the file."""
        self.rows.append((number, what))


def certainty(answer: Mapping[str, Any]) -> float | None:
    """How sure a model is of its answer where it is least sure, 0 to 1; None: it does not say.

    Of one label its score; of several labels how far the nearest is from being answered otherwise; of spans the
    greatest score of the word that has the least ("minimum token probability": Marcheggiani and Artières 2014, An
    Experimental Comparison of Active Learning Strategies for Partially Labeled Sequences, EMNLP).
    """
    if "words" in answer:
        return float(answer["scores"].max(axis=1).min()) if len(answer["scores"]) else 1.0
    if "score" in answer:
        return float(answer["score"])
    if "labels" in answer:
        return min((2 * abs(score - 0.5) for score in answer["scores"].values()), default=1.0)
    return None


def least_certain_first(rows: Sequence[Answered]) -> list[Answered]:
    """In the order worth labelling; those of which nothing is known keep their order."""
    return sorted(rows, key=lambda one: 0.0 if one.certainty is None else one.certainty)


def label_studio_tasks(rows: Sequence[Answered], model: str, losses: Losses) -> Iterator[dict[str, Any]]:
    """Tasks with predictions, as Label Studio imports them. Offsets are code points, as its `Text` counts."""
    for one in rows:
        data = {name: as_json_value(value) for name, value in one.row.items()} | dict(one.texts)
        result = list(_regions(one))
        prediction: dict[str, Any] = {"model_version": model, "result": result}
        if one.certainty is not None:
            prediction["score"] = round(one.certainty, 6)
        yield {"data": data, "predictions": [prediction]}
        if not one.texts[TEXT].strip():
            losses.add(one.number, "there is no text to show")


def _regions(one: Answered) -> Iterator[dict[str, Any]]:
    answer, names = one.answer, {"from_name": QUESTION, "to_name": TEXT}
    for number, span in enumerate(answer.get("spans", ())):
        text = one.texts[TEXT][span["start"] : span["end"]]
        value = {"start": span["start"], "end": span["end"], "text": text, "labels": [span["label"]]}
        yield {"id": f"p{number}", **names, "type": "labels", "value": value, "score": span.get("score")}
    if "label" in answer or answer.get("labels"):
        choices = [answer["label"]] if "label" in answer else list(answer["labels"])
        yield {"id": "p", **names, "type": "choices", "value": {"choices": choices}}
    if "value" in answer:
        yield {"id": "p", **names, "type": "number", "value": {"number": answer["value"]}}


def labelling_config(answer: Mapping[str, Any], texts: Sequence[str], labels: Sequence[str]) -> str:
    """Label Studio's labelling configuration to which the tasks fit, for answers like `answer`."""
    shown = "\n".join(f'  <Text name="{name}" value="${name}"/>' for name in texts)
    if "spans" in answer:
        control = _control("Labels", "Label", labels)
    elif "value" in answer:
        control = f'  <Number name="{QUESTION}" toName="{TEXT}"/>'
    else:
        several = ' choice="multiple"' if "labels" in answer else ""
        control = _control("Choices", "Choice", labels, several)
    return f"<View>\n{control}\n{shown}\n</View>\n"


def _control(tag: str, item: str, labels: Sequence[str], more: str = "") -> str:
    items = "\n".join(f"    <{item} value={quoteattr(label)}/>" for label in labels)
    return f'  <{tag} name="{QUESTION}" toName="{TEXT}"{more}>\n{items}\n  </{tag}>'


def doccano_rows(rows: Sequence[Answered], unit: str, losses: Losses) -> Iterator[dict[str, Any]]:
    """Rows as doccano imports JSONL; `unit`: what its project counts, utf-16 or (in grapheme mode) graphemes.

    All rows have all columns: doccano refuses a file in which one lacks a key.
    """
    names = dict.fromkeys(name for one in rows for name in one.row if name not in (TEXT, QUESTION, "id", *one.texts))
    for one in rows:
        text = one.texts[TEXT]
        if not text.strip():
            losses.add(one.number, "there is no text, which doccano refuses: the row is not in the file")
            continue
        label = _doccano_label(one, unit, losses)
        meta = {name: _plain(one, name, losses) for name in names}
        yield {TEXT: text, QUESTION: label, **meta}


def _plain(one: Answered, name: str, losses: Losses) -> Any:
    value = as_json_value(one.row.get(name))
    if isinstance(value, dict | list):
        losses.add(one.number, f"column {name!r} holds a {type(value).__name__}, which doccano does not keep")
        return None
    return value


def _doccano_label(one: Answered, unit: str, losses: Losses) -> list[Any]:
    if "spans" not in one.answer:
        return [one.answer["label"]] if "label" in one.answer else list(one.answer.get("labels", ()))
    inverse = _in_units(one.texts[TEXT], unit)
    spans = []
    for span in one.answer["spans"]:
        start, end = inverse(span["start"]), inverse(span["end"])
        if start is None or end is None:
            losses.add(one.number, f"a span from {span['start']} to {span['end']} cuts a character as doccano counts")
        else:
            spans.append([start, end, span["label"]])
    return spans


def _in_units(text: str, unit: str) -> Callable[[int], int | None]:
    """The place of a code point in the tool's units; None: it lies inside one."""
    starts = text_views.view(text, unit).starts
    places = {position: index for index, position in enumerate(starts)} | {len(text): len(starts)}
    return places.get
