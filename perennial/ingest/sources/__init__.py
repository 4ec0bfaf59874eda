"""Where labelled rows come from."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

from perennial.ingest.sources import sentences
from perennial.ingest.sources.base import Piece
from perennial.rows.batch import Batch
from perennial.settings.data import FileSource, HuggingFaceSource
from perennial.settings.pipeline import PipelineSpec

__all__ = ["Piece", "pieces"]


def pieces(spec: PipelineSpec, known_pieces: Collection[str] = ()) -> list[Piece]:
    """The pieces of the pipeline's source, in the order they are read; none is opened yet.

    `known_pieces`: names of pieces read before, which may have gone since. Raises SourceError when nothing is there to
    read.
    """
    source = spec.data.source
    if isinstance(source, FileSource):
        from perennial.ingest.sources import file

        all_pieces = file.pieces(spec, source, known_pieces)
    elif isinstance(source, HuggingFaceSource):
        from perennial.ingest.sources import huggingface

        all_pieces = huggingface.pieces(spec, source)
    else:
        from perennial.ingest.sources import sql

        all_pieces = sql.pieces(spec, source)
    if not spec.data.has_token_rows:
        return all_pieces
    parting = sentences.parting_of(spec.data.columns)
    return [replace(piece, read=partial(_sentences, piece.read, parting)) for piece in all_pieces]


def _sentences(
    read: Callable[[datetime | None], Iterator[Batch]], parting: sentences.Parting, newest: datetime | None
) -> Iterator[Batch]:
    return sentences.put_together(read(newest), parting)
