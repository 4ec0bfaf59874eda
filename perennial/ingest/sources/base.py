"""What a source gives: pieces (a file, a query, a data set), each read as a stream of batches."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from perennial import kinds
from perennial.core.errors import SourceError, listing
from perennial.records.data import SourceReading
from perennial.rows.batch import Batch
from perennial.settings.pipeline import PipelineSpec

BATCH_ROWS = 10_000
BATCH_BYTES = 16 << 20
MAX_LINE_BYTES = 64 << 20
"""Of a line or a cell; far beyond any text, and a bound on what a missing line end or quote can take of memory."""


@dataclass(frozen=True)
class Piece:
    """A part of a source that is read, or skipped, as a whole."""

    name: str
    stamp: str | None
    """Unchanged as long as the piece is; None: nobody can tell, so it is always read."""
    contents: Callable[[], str] | None
    """Digest of what it holds, for when the stamp changed but the content may not have; None: there is none."""
    read: Callable[[datetime | None], Iterator[Batch]]
    """Streams the rows; given the newest time read before, which a source may use to leave out older ones."""
    late_remedy: str
    """What takes in rows that came too late, in a sentence."""
    reading: Callable[[], SourceReading] | None = None
    """After `read`: what was left out or changed of an annotation tool's exports, and how far people agree."""
    differing: Callable[[], list[dict[str, Any]]] | None = None
    """After `read`: the texts of which people said different things; see `annotated_files.differing_texts`."""
    takes_late: bool = False
    """Whether unseen rows count, however old they are."""


def reread_remedy(pipeline: str) -> str:
    """What takes in late rows of a source that has one piece only."""
    return f"`perennial run {pipeline} --reread` takes them in."


def wanted_columns(spec: PipelineSpec) -> tuple[str, ...]:
    """Names of the source's columns that are read, each once."""
    columns = spec.data.columns
    own = (*kinds.kind_named(spec.kind).sources(columns), columns.sentence)
    names = [*own, columns.time, columns.id, columns.deleted, *columns.kept]
    return tuple(dict.fromkeys(name for name in names if name is not None))


def require_columns(source_name: str, columns: Sequence[str], names: Sequence[str]) -> None:
    """Raises SourceError when a column of `names` is not among `columns`, or is there twice."""
    missing = [name for name in names if name not in columns]
    if missing:
        near = difflib.get_close_matches(missing[0], columns, 1, cutoff=0.5)
        hint = f" The nearest to {missing[0]!r} is {_cut(near[0])!r}." if near else ""
        raise SourceError(
            f"{source_name} has no column {listing(map(repr, missing))}; "
            f"its columns are: {listing((_cut(name) for name in columns), 20) or 'none'}.{hint}",
            remedy="Say under data.columns in pipeline.yaml which column is what, or mend the source's column names.",
        )
    twice = [name for name, times in Counter(columns).items() if times > 1 and name in names]
    if twice:
        raise SourceError(
            f"{source_name} has more than one column named {listing(map(repr, twice))}, so which one is meant can't be "
            "told.",
            remedy="Give each column a name of its own.",
        )


def _cut(name: str) -> str:
    # A file without a header shows its first row here: no more of it than a name needs.
    return name if len(name) <= 30 else f"{name[:29]}…"
