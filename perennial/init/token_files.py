"""A file with one token a row: looked at as the sentences that its rows make."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perennial import kinds
from perennial.core.errors import SourceError
from perennial.ingest.sources.sentences import Parting
from perennial.init import file_census
from perennial.init.data_file import DataFile
from perennial.kinds.recognition import token_rows
from perennial.kinds.recognition.column_choice import ColumnChoice, column_named
from perennial.kinds.recognition.sample import FileSample, Given

LEAST_TOKENS = 2
"""Of a sentence on average: fewer, and what was taken to part sentences does not."""


@dataclass(frozen=True)
class Looked:
    """What a file holds."""

    cells: dict[str, list[object]]
    sentence: ColumnChoice | None = None
    """The column that parts sentences; None: none does."""


def looked_at(
    data: DataFile, cells: dict[str, list[object]], given: Given, kind: str | None, sentence: str | None
) -> Looked:
    """The `cells` of the sample as they are; of a file with one token a row those of its sentences, which `data` then
    gives. `sentence`: the column that a user says parts them.

    Raises SpecError when nothing parts sentences.
    """
    if data.annotated or (kind in kinds.names() and "tokens" not in kinds.kind_named(str(kind)).roles):
        return Looked(cells)
    sample = FileSample(cells)
    if sentence:
        column_named(sample.columns, sentence, "sentence")
    rows = token_rows.token_rows(sample, given)
    if rows is None:
        return Looked(cells)
    column = sentence or token_rows.sentence_column(sample, rows)
    if column is None and data.dialect is None:
        raise token_rows.no_sentences(sample, rows)
    if column is None and data.dialect:
        data.dialect = replace(data.dialect, blank_rows=True)
    data.parting = Parting(rows.tokens, rows.tags, column)
    sentences = _sentences(data)
    if token_rows.mean_tokens(sentences.get(rows.tokens, ())) < LEAST_TOKENS:
        raise token_rows.no_sentences(sample, rows)
    reason = f"{'you named it' if sentence else 'says of which sentence a token is'}; each row is one token"
    choice = ColumnChoice(column=column, reason=reason) if column else None
    return Looked(sentences, choice)


def _sentences(data: DataFile) -> dict[str, list[object]]:
    try:
        return file_census.head(data, file_census.SAMPLED_ROWS)
    except SourceError:
        return {}
