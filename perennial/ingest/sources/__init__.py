"""Where labelled rows come from."""

from collections.abc import Collection

from perennial.ingest.sources.base import Piece
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

        return file.pieces(spec, source, known_pieces)
    if isinstance(source, HuggingFaceSource):
        from perennial.ingest.sources import huggingface

        return huggingface.pieces(spec, source)
    from perennial.ingest.sources import sql

    return sql.pieces(spec, source)
