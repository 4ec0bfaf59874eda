"""Where labelled rows come from."""

from collections.abc import Collection

from perennial.data.sources.base import Batch, Piece
from perennial.spec import FileSource, HuggingFaceSource, PipelineSpec

__all__ = ["Batch", "Piece", "pieces"]


def pieces(spec: PipelineSpec, known: Collection[str] = ()) -> list[Piece]:
    """The pieces of the pipeline's source, in the order they are read; none is opened yet.

    `known`: names of pieces read before, which may have gone since. Raises SourceError when nothing is there to read.
    """
    source = spec.data.source
    if isinstance(source, FileSource):
        from perennial.data.sources import file

        return file.pieces(spec, source, known)
    if isinstance(source, HuggingFaceSource):
        from perennial.data.sources import huggingface

        return huggingface.pieces(spec, source)
    from perennial.data.sources import sql

    return sql.pieces(spec, source)
