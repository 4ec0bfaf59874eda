"""What the lists in a column hold: names, tags, spans, or what no kind of task reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from perennial.inference import spans
from perennial.rows import cells, column_profile

MOST = 0.9
"""Share of a column's cells that must be what the column is taken for: the rest are faults, which a run sets aside."""
SPAN_KEYS = ("start", "end", "label")


@dataclass
class Lists:
    """Figures of one column's sampled cells."""

    rows: int = 0
    lists: int = 0
    """Cells that are lists, also as JSON text; empty ones included."""
    filled: int = 0
    """Lists with something in them."""
    names: int = 0
    """Filled lists of strings or whole numbers."""
    numbers: int = 0
    """Filled lists of numbers only."""
    spans: int = 0
    """Filled lists of objects with start, end and label, or of lists of these three."""
    tagged: int = 0
    """Cells, lists or plain text, in which every item or word is a tag of a known scheme."""
    types: set[str] = field(default_factory=set)
    """Labels that the tags name."""
    printed: int = 0
    """Cells of text with the brackets of a list that are no JSON."""
    odd: str = ""
    """The first filled list of neither names nor spans: the types of what is in it, no content."""

    @property
    def holds_names(self) -> bool:
        """Whether cells are lists of names."""
        return self.filled > 0 and self.names >= MOST * self.filled and self.lists >= MOST * self.rows

    @property
    def holds_numbers(self) -> bool:
        """Whether cells are lists of numbers."""
        return self.filled > 0 and self.numbers >= MOST * self.filled

    @property
    def holds_spans(self) -> bool:
        """Whether cells are lists of spans."""
        return self.filled > 0 and self.spans >= MOST * self.filled and self.lists >= MOST * self.rows

    @property
    def holds_printed(self) -> bool:
        """Whether cells are lists as Python prints them."""
        return self.rows > 0 and self.printed >= MOST * self.rows

    @property
    def holds_tags(self) -> bool:
        """Whether cells are tags, one for each of some tokens."""
        return bool(self.types) and self.tagged >= MOST * self.rows


def lists_of_columns(sample: Mapping[str, Sequence[object]]) -> dict[str, Lists]:
    """The figures of each column, given its cells; empty cells count in no figure."""
    return {name: lists_of(values) for name, values in sample.items()}


def lists_of(values: Sequence[object]) -> Lists:
    """The figures of a column with these cells."""
    lists = Lists()
    for value in values:
        if value is None or value != value or value == "":
            continue
        lists.rows += 1
        content = cells.nested(value)
        if isinstance(content, list | tuple):
            _count(lists, content)
        elif isinstance(content, dict):
            lists.odd = lists.odd or _shape(content)
        elif isinstance(content, str):
            lists.printed += column_profile.is_printed_list(content)
            _count_tags(lists, content.split())
    return lists


def alike(sample: Mapping[str, Sequence[object]], one: str, other: str) -> bool:
    """Whether the columns have as many items (or words) as each other in most rows."""
    pairs = [(_length(a), _length(b)) for a, b in zip(sample[one], sample[other], strict=True)]
    same = sum(a == b and a is not None for a, b in pairs)
    return same > 0 and same >= MOST * sum(a is not None or b is not None for a, b in pairs)


def _count(lists: Lists, content: Sequence[object]) -> None:
    lists.lists += 1
    lists.filled += bool(content)
    if all(isinstance(item, str) for item in content):
        _count_tags(lists, [str(item) for item in content])
    if not content:
        return
    if all(isinstance(item, str | int) for item in content):
        lists.names += 1
    elif all(map(_is_span, content)):
        lists.spans += 1
    else:
        lists.odd = lists.odd or _shape(content[0])
    lists.numbers += all(isinstance(item, int | float) for item in content)


def _is_span(item: object) -> bool:
    if isinstance(item, list | tuple):
        return [type(part) for part in item] == [int, int, str]
    return isinstance(item, dict) and item.keys() >= set(SPAN_KEYS)


def _count_tags(lists: Lists, tags: Sequence[str]) -> None:
    labels = set()
    for tag in tags:
        label = _label(tag)
        if label is None:
            return
        labels.add(label)
    lists.tagged += 1
    lists.types |= labels - {""}


@lru_cache(maxsize=100_000)
def _label(tag: str) -> str | None:
    """The label of `tag`, "" for the one that names none; None for what is no tag."""
    # No label is written without a letter: B-2 is a vitamin's or a bomber's name.
    try:
        label = spans.split(tag)[1]
    except ValueError:
        return None
    return label if not label or re.search(r"[^\W\d_]", label) else None


def _length(value: object) -> int | None:
    content = cells.nested(value)
    if isinstance(content, str):
        return len(content.split())
    return len(content) if isinstance(content, list | tuple) else None


def _shape(item: object) -> str:
    if isinstance(item, dict):
        return f"objects with {', '.join(sorted(map(str, item)))}"
    if isinstance(item, list | tuple):
        return f"lists of {', '.join(type(part).__name__ for part in item)}"
    return f"values of type {type(item).__name__}"
