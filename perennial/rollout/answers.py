"""What of an answer may be right or wrong, by which two versions are compared, and late labels with both.

It holds no text: labels, offsets and numbers only.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DELIMITERS = "|;,"
"""Between the labels of a cell, the first of these that is in it."""


class UnreadableLabelError(ValueError):
    """A late label is not of the shape of the answers; the message says what was expected, and not what was seen."""


def decisive_part(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What of an answer counts: its label, its labels in order, its spans without their texts, or its number."""
    if "label" in answer:
        return {"label": answer["label"]}
    if "labels" in answer:
        return {"labels": sorted(answer["labels"])}
    if "spans" in answer:
        return {"spans": sorted([span["start"], span["end"], span["label"]] for span in answer["spans"])}
    return {"value": answer["value"]}


def row_key(salt: str, row: Any) -> bytes:
    """A hash of what the model reads of a row, by which the same text counts once; of no use without the salt."""
    content = json.dumps([salt, row], ensure_ascii=False, default=list)
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def as_answer(label: Any, like: Mapping[str, Any]) -> dict[str, Any]:
    """A late label as an answer of the same shape as `like`. Raises UnreadableLabelError where it can't be."""
    if "label" in like:
        if isinstance(label, list | dict) or label is None or str(label) == "":
            raise UnreadableLabelError("a label")
        return {"label": _plain_text(label)}
    if "labels" in like:
        return {"labels": sorted(_labels(label))}
    if "spans" in like:
        return {"spans": _spans(label)}
    try:
        return {"value": float(label)}
    except (TypeError, ValueError):
        raise UnreadableLabelError("a number") from None


def is_right(answer: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Whether an answer is what the late label says; a number never is, see `harm`."""
    return "value" not in truth and dict(answer) == dict(truth)


def harm(champion: Mapping[str, Any], challenger: Mapping[str, Any], truth: Mapping[str, Any]) -> int:
    """1: the challenger did worse than the champion, 0: as well, -1: better.

    Worse is wrong where the other is right; of numbers, farther from the right one.
    """
    if "value" in truth:
        distances = [abs(float(one["value"]) - float(truth["value"])) for one in (champion, challenger)]
        return int(distances[1] > distances[0]) - int(distances[1] < distances[0])
    return int(is_right(champion, truth)) - int(is_right(challenger, truth))


def _plain_text(label: Any) -> str:
    # A whole number that a spreadsheet made a decimal of is that number: labels are texts everywhere.
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def _labels(label: Any) -> list[str]:
    if label is None:
        return []
    if isinstance(label, str):
        delimiter = next((one for one in DELIMITERS if one in label), "|")
        return [part.strip() for part in label.split(delimiter) if part.strip()]
    if isinstance(label, list) and all(isinstance(one, str) for one in label):
        return label
    raise UnreadableLabelError("a list of labels, or labels with | between them")


def _spans(label: Any) -> list[list[Any]]:
    try:
        spans = json.loads(label) if isinstance(label, str) else label
        return sorted([int(span["start"]), int(span["end"]), str(span["label"])] for span in spans)
    except (TypeError, ValueError, KeyError):
        raise UnreadableLabelError('a list of spans, each with "start", "end" and "label"') from None
