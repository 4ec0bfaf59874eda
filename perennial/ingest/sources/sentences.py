"""One token a row: the rows of a sentence put together as one, with lists of tokens and of tags."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perennial.core.errors import SourceError
from perennial.rows.batch import Batch
from perennial.settings.data import ColumnsSpec

MOST_TOKENS = 10_000
"""Of a sentence; more in one means that what parts sentences is not there."""


@dataclass(frozen=True)
class Parting:
    """What is told of a source that has one token a row."""

    tokens: str
    tags: str
    """The columns of tokens and of tags; rows to be labelled lack the latter."""
    sentence: str | None
    """The column that says which sentence a token is of; None: rows without a token part sentences."""


def parting_of(columns: ColumnsSpec) -> Parting:
    """What a pipeline says of its source, which has one token a row."""
    return Parting(columns.tokens or "", columns.tags, columns.sentence)


@dataclass
class _Sentence:
    """A sentence that is being put together."""

    file: str
    unit: str
    number: int
    row: dict[str, Any]
    """The cells of the other columns: the first value of each."""
    tokens: list[Any] = field(default_factory=list)
    tags: list[Any] = field(default_factory=list)


def put_together(batches: Iterable[Batch], parting: Parting) -> Iterator[Batch]:
    """The sentences of `batches`, each numbered by its first token's row; an empty row ends one.

    Raises SourceError for a sentence of more than 10,000 tokens.
    """
    current: _Sentence | None = None
    for batch in batches:
        ready: list[_Sentence] = []
        names = list(batch.columns)
        for number, cells in zip(batch.numbers, zip(*batch.columns.values(), strict=True), strict=True):
            row = dict(zip(names, cells, strict=True))
            token, tag = row.get(parting.tokens), row.get(parting.tags)
            if current and ((_is_empty(token) and _is_empty(tag)) or _begins(current, row, parting)):
                ready.append(current)
                current = None
            if _is_empty(token) and _is_empty(tag):
                continue
            current = current or _Sentence(batch.file, batch.unit, number, row)
            _add(current, row, parting)
        yield from _as_batches(ready, names, parting)
    if current:
        yield from _as_batches([current], list(current.row), parting)


def _begins(current: _Sentence, row: Mapping[str, Any], parting: Parting) -> bool:
    """Whether `row` is of another sentence than `current`: its id is there and is another."""
    value = row.get(parting.sentence) if parting.sentence else None
    return not _is_empty(value) and value != current.row.get(parting.sentence or "")


def _add(sentence: _Sentence, row: Mapping[str, Any], parting: Parting) -> None:
    sentence.tokens.append(_word(row.get(parting.tokens)))
    sentence.tags.append(_word(row.get(parting.tags)))
    for name, value in row.items():
        if sentence.row.get(name) is None:
            sentence.row[name] = value
    if len(sentence.tokens) > MOST_TOKENS:
        what = f"column {parting.sentence!r} names no other" if parting.sentence else "no empty line comes"
        raise SourceError(
            f"{sentence.file}, {sentence.unit} {sentence.number:,}: the sentence that begins there has more than "
            f"{MOST_TOKENS:,} tokens, for {what}.",
            remedy="Name the column that says which sentence a token is of in data.columns.sentence, or part sentences "
            "by blank lines.",
        )


def _word(value: Any) -> Any:
    """A token or a tag as it stands in a list; numbers are words, too."""
    return "" if value is None else value if isinstance(value, str) else str(value)


def _is_empty(value: Any) -> bool:
    return value is None or value != value or value == ""


def _as_batches(sentences: Sequence[_Sentence], names: Sequence[str], parting: Parting) -> Iterator[Batch]:
    if not sentences:
        return
    first = sentences[0]
    columns: dict[str, list[Any]] = {name: [one.row.get(name) for one in sentences] for name in names}
    if parting.tokens in columns:
        columns[parting.tokens] = [one.tokens for one in sentences]
    if parting.tags in columns:
        columns[parting.tags] = [one.tags for one in sentences]
    yield Batch(first.file, first.unit, [one.number for one in sentences], columns)
