"""Spans as a person writes them into a text: [Acme Corp](ORG)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from perennial.inference import spans
from perennial.kinds.token_classification.span_rows import as_tuples, is_span, plain_spans

MARKED = re.compile(r"\[([^\[\]]+)\]\(([^()]+)\)")
"""A span in a behavioural test's text: [Acme Corp](ORG)."""
SPANS_FORM = '[{"start": 0, "end": 9, "label": "ORG"}]'


def without_marks(text: str) -> tuple[str, tuple[spans.Span, ...]]:
    """`text` as it reads without its marks, and the spans that they mark."""
    bare, marks, done = "", [], 0
    for mark in MARKED.finditer(text):
        bare += text[done : mark.start()]
        marks.append((len(bare), len(bare) + len(mark[1]), mark[2]))
        bare, done = bare + mark[1], mark.end()
    return bare + text[done:], tuple(marks)


def meant_spans(words: str) -> tuple[str | None, list[dict[str, Any]]]:
    """The text that a correction quotes (None: it is a JSON list, which quotes none), and its spans.

    Raises ValueError for a JSON list of something else.
    """
    if words.startswith(("[{", "[]")):
        try:
            given = json.loads(words)
        except ValueError:
            given = None
        if isinstance(given, list) and all(map(is_span, given)):
            return None, plain_spans(given)
        raise ValueError(f"{words[:60]!r} is no list of spans, such as {SPANS_FORM}")
    text, marks = without_marks(words)
    return text, [{"start": start, "end": end, "label": label} for start, end, label in marks]


def marked(text: str, predicted: Sequence[Mapping[str, Any]]) -> str:
    """`text` with its spans marked, as in [Acme Corp](ORG)."""
    shown, done = "", 0
    for start, end, label in as_tuples(predicted):
        shown += f"{text[done:start]}[{text[start:end]}]({label})"
        done = end
    return shown + text[done:]
