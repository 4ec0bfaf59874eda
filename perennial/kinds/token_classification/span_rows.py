"""Rows of spans, read from tokens with tags or from texts with marked places, and what can be wrong with one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from perennial.core import progress
from perennial.inference import spans
from perennial.inference.words import is_unicode, joined
from perennial.rows import span_edges

FAULT = "fault"
SPAN_KEYS = ("start", "end", "label")


DIFFERENT_NUMBERS = "tokens and tags differ in number"
NO_TOKENS = "there are no tokens"
NO_STRINGS = "tokens or tags are no list of strings"
BLANK_TOKEN = "a token is blank"  # noqa: S105 - a fault
NO_UNICODE = "a token or tag holds half a surrogate pair, which is no Unicode"
UNKNOWN_SCHEME = f"a tag is of no known scheme; known are {spans.legal()}"
NO_SPANS = "spans are no list of objects with start, end and label"
OUTSIDE_TEXT = "a span is empty or passes the end of the text"
BLANK_SPAN = "a span holds nothing but blanks"
OVERLAPPING = "spans overlap"
FAULTS = (
    *(DIFFERENT_NUMBERS, NO_TOKENS, NO_STRINGS, NO_UNICODE, BLANK_TOKEN, UNKNOWN_SCHEME),
    *(NO_SPANS, OUTSIDE_TEXT, BLANK_SPAN, OVERLAPPING),
)


class FaultError(ValueError):
    """A row that can't be learned from; its message is one of FAULTS."""


Row = tuple[str | None, list[str] | None, list[dict[str, Any]], str | None]
"""text, tokens, spans and fault."""


def row_from_tokens(tokens: object, tags: object, schemes: set[str]) -> Row:
    """The row of a list of tokens with a tag for each; its scheme, if told, is added to `schemes`."""
    try:
        return _tagged(tokens, tags, schemes)
    except FaultError as error:
        return _shown(tokens), None, [], str(error)


def _shown(tokens: object) -> str:
    """What stands in the text of a faulty row: something must, or the row would be faulted for that as well."""
    text = joined(tokens)[0] if _is_strings(tokens) else ""
    return (text if text.strip() else repr(tokens)[:200]).encode(errors="replace").decode()


def _tagged(tokens: object, tags: object, schemes: set[str]) -> Row:
    if not _is_strings(tokens) or not _is_strings(tags):
        raise FaultError(NO_STRINGS)
    if not tokens:
        raise FaultError(NO_TOKENS)
    if not is_unicode("".join((*tokens, *tags))):
        raise FaultError(NO_UNICODE)
    if len(tokens) != len(tags):
        raise FaultError(DIFFERENT_NUMBERS)
    if not all(token.strip() for token in tokens):
        raise FaultError(BLANK_TOKEN)
    try:
        spans_found, scheme = spans.of_tags(tags), spans.scheme(tags)
    except ValueError:
        raise FaultError(UNKNOWN_SCHEME) from None
    if scheme:
        schemes.add(scheme)
    text, places = joined(tokens)
    # To the end of the span's last token.
    targets = [
        {"start": places[start][0], "end": places[end - 1][1], "label": label} for start, end, label in spans_found
    ]
    return text, list(tokens), targets, None


def row_from_spans(text: str | None, value: object) -> Row:
    """The row of a text and a list of {start, end, label}, or [start, end, label], in its characters."""
    try:
        return text, None, checked_spans(text or "", value), None
    except FaultError as error:
        return text, None, [], str(error)


def checked_spans(text: str, value: object) -> list[dict[str, Any]]:
    """The spans of `text` in order. Raises FaultError for what is no list of spans, or can't be learned."""
    given = [_as_object(item) for item in value] if isinstance(value, list | tuple) else [None]
    if not all(map(is_span, given)):
        raise FaultError(NO_SPANS)
    ordered = sorted(
        ({name: span[name] for name in SPAN_KEYS} for span in given if span is not None), key=lambda span: span["start"]
    )
    if any(not 0 <= span["start"] < span["end"] <= len(text) for span in ordered):
        raise FaultError(OUTSIDE_TEXT)
    if any(text[span["start"] : span["end"]].isspace() for span in ordered):
        raise FaultError(BLANK_SPAN)
    _to_words(text, ordered)
    if any(one["end"] > other["start"] for one, other in itertools.pairwise(ordered)):
        raise FaultError(OVERLAPPING)
    return ordered


def _to_words(text: str, ordered: Sequence[dict[str, Any]]) -> None:
    """Move the edges of these spans to those of words, and count what was moved."""
    edges, changes = span_edges.at_words(text, [(span["start"], span["end"]) for span in ordered])
    for what, count in changes.items():
        progress.count(what, count)
    for span, (start, end) in zip(ordered, edges, strict=True):
        span |= {"start": start, "end": end}


def _as_object(item: object) -> Mapping[str, Any] | None:
    """A span as an object, also where it is [start, end, label], as spaCy and doccano write it; None: it is none."""
    if isinstance(item, list | tuple) and len(item) == len(SPAN_KEYS):
        return dict(zip(SPAN_KEYS, item, strict=True))
    return item if isinstance(item, Mapping) else None


def is_span(value: object) -> bool:
    """Whether `value` has a start, an end and a label."""
    if not isinstance(value, Mapping) or any(type(value.get(name)) is not int for name in ("start", "end")):
        return False
    label = value.get("label")
    return isinstance(label, str) and bool(label) and is_unicode(label)


def split_cell(value: object) -> object:
    """A text's words; what is a list already stays."""
    return value.split() if isinstance(value, str) else value


def _is_strings(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def plain_spans(predicted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Spans with nothing but their places and labels."""
    return [{"start": start, "end": end, "label": label} for start, end, label in as_tuples(predicted)]


def as_tuples(predicted: Sequence[Mapping[str, Any]]) -> list[spans.Span]:
    """Spans as (start, end, label)."""
    return [(span["start"], span["end"], span["label"]) for span in predicted]
