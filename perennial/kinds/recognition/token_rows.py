"""Files with one token a row: which columns hold tokens and tags, and what parts their sentences."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from perennial.core.errors import SpecError
from perennial.kinds.recognition.column_choice import column_named, columns_in_words
from perennial.kinds.recognition.sample import FileSample, Given
from perennial.rows.column_profile import Column

TOKEN_NAMES = re.compile(r"(^|[_\W])(tokens?|words?|forms?)($|[_\W])", re.I)
_TAG_NAMES = re.compile(r"ner|entit|(^|[_\W])tags?($|[_\W])|labels?", re.I)
_SENTENCE_NAMES = (re.compile(r"sent", re.I), re.compile(r"seq|utter|example|document|doc|text|line|id$", re.I))
_MOST = 0.98
"""Share of the cells that must be one word."""
_LENGTHS = (2, 500)
"""Tokens of a sentence, on average, from and to."""


class TokenRows(NamedTuple):
    """The columns of a file with one token a row."""

    tokens: str
    tags: str


def token_rows(sample: FileSample, given: Given) -> TokenRows | None:
    """The columns of tokens and of tags, if each row is one token with its tag; None: it is not.

    Raises SpecError for a column in `given` that is not there.
    """
    for role in ("tokens", "tags"):
        if name := getattr(given, role):
            column_named(sample.columns, name, role)
    if given.text or given.label or given.spans or given.text_pair:
        return None
    tags = given.tags or next((name for name in _tag_columns(sample)), None)
    if tags is None or not is_word_a_row(sample, tags):
        return None
    tokens = given.tokens or next((column.name for column in _token_columns(sample, tags)), None)
    return TokenRows(tokens, tags) if tokens and is_word_a_row(sample, tokens) else None


def sentence_column(sample: FileSample, rows: TokenRows) -> str | None:
    """The column that says of which sentence each token is, in each row or in a sentence's first one; None: none
    does."""
    fit = [
        column.name
        for column in sample.columns
        if column.name not in rows and _parts_sentences(sample.cells[column.name])
    ]
    best = min(fit, key=_sentence_rank, default=None)
    return best if best is None or not _sentence_rank(best) else _finer(sample, rows, best) or best


def _finer(sample: FileSample, rows: TokenRows, document: str) -> str | None:
    """A column that is named as one of sentences, and numbers them anew in each `document`."""
    begins = set(_positions(sample.cells[document]))
    for column in sample.columns:
        cells = sample.cells[column.name]
        if column.name in rows or _sentence_rank(column.name) or column.filled < column.rows:
            continue
        inner = set(_positions(cells))
        if begins < inner and len(cells) >= _LENGTHS[0] * len(inner):
            return column.name
    return None


def mean_tokens(sentences: Sequence[object]) -> float:
    """Tokens of a sentence on average, given each one's list; 0 if there are fewer than two sentences."""
    lengths = [len(one) for one in sentences if isinstance(one, list)]
    return sum(lengths) / len(lengths) if len(lengths) > 1 else 0.0


def no_sentences(sample: FileSample, rows: TokenRows) -> SpecError:
    """What is said where nothing parts the sentences."""
    return SpecError(
        f"Each row holds one token ({rows.tokens!r}) with its tag ({rows.tags!r}), and nothing says where a sentence "
        f"ends: no column numbers sentences, and no blank line is between them. {columns_in_words(sample.columns)}",
        remedy="Name the column that says of which sentence a token is: --sentence COLUMN; or write each sentence as a "
        "row with a list of tokens and one of tags.",
    )


def _tag_columns(sample: FileSample) -> list[str]:
    names = [name for name, held in sample.lists.items() if held.holds_tags]
    return sorted(names, key=lambda name: not _TAG_NAMES.search(name))


def _token_columns(sample: FileSample, tags: str) -> list[Column]:
    fit = [
        column
        for column in sample.columns
        if column.name != tags
        and not column.holds_lists
        and not sample.lists[column.name].holds_tags
        and column.filled >= _MOST * sample.column(tags).filled
        and column.strings >= _MOST
        and column.distinct > sample.column(tags).distinct
    ]
    return sorted(fit, key=lambda column: (not TOKEN_NAMES.search(column.name), -column.distinct))


def is_word_a_row(sample: FileSample, name: str) -> bool:
    """Whether the column's cells are one word each."""
    values = [value for value in sample.cells[name] if value is not None and value == value and value != ""]
    words = sum(not isinstance(value, list | dict | tuple) and len(str(value).split()) <= 1 for value in values)
    return bool(values) and words >= _MOST * len(values)


def _parts_sentences(cells: Sequence[object]) -> bool:
    begins = [str(cells[position]) for position in _positions(cells)]
    if len(begins) < 2 or cells[0] in (None, ""):
        return False
    mean = len(cells) / len(begins)
    # A sentence's id comes back as little as the sentence does.
    return _LENGTHS[0] <= mean <= _LENGTHS[1] and len(begins) <= 1.1 * len(set(begins))


def _positions(cells: Sequence[object]) -> Iterator[int]:
    """Where a cell is another than the last that is not empty."""
    current = None
    for position, cell in enumerate(cells):
        if cell is not None and cell == cell and cell != "" and cell != current:
            current = cell
            yield position


def _sentence_rank(name: str) -> int:
    return next((rank for rank, rule in enumerate(_SENTENCE_NAMES) if rule.search(name)), len(_SENTENCE_NAMES))
