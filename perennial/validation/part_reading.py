"""What is read into a part's targets before it is checked, and what of it a person should know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from perennial import kinds
from perennial.kinds import label_reading
from perennial.kinds.label_reading import ReadLabels
from perennial.rows import far_numbers, label_spelling
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

SCRATCH = "respelled.parquet"


class PartReading(NamedTuple):
    """A part as it is checked."""

    source: Path
    remarks: tuple[str, ...]
    """What a person should know, each in a sentence without its stop."""


@contextmanager
def read_part(spec: PipelineSpec, source: Path, folder: Path) -> Iterator[PartReading]:
    """The Parquet file `source` with labels in the pipeline's spelling: a copy in `folder` for the block.

    Where nothing is written otherwise it is `source` itself.
    """
    import pyarrow.parquet as pq

    kind = kinds.kind_named(spec.kind)
    with pq.ParquetFile(source) as file:
        if kind.target_column not in file.schema_arrow.names:
            yield PartReading(source, ())
            return
        targets = file.read([kind.target_column])[kind.target_column].combine_chunks()
    read = label_reading.read_labels(kind, targets, spec.data)
    remarks = (*_remarks(read), *_far_numbers(targets, kind.target_column))
    if not read.changed:
        yield PartReading(source, remarks)
        return
    path = folder / SCRATCH
    try:
        rows = pq.read_table(source)
        index = rows.column_names.index(kind.target_column)
        pq.write_table(rows.set_column(index, kind.target_column, read.targets), path)
        yield PartReading(path, remarks)
    finally:
        path.unlink(missing_ok=True)


def _remarks(read: ReadLabels) -> Iterator[str]:
    if read.changed:
        yield f"labels that are written otherwise were read as those of data.labels: {_listed(read.changed)}"
    if read.near:
        yield (
            f"labels that differ from one of data.labels only in {label_spelling.DIFFERENCES} were set aside: "
            f"{_listed(read.near)}. With data.fold_labels: true they are read as one"
        )


def _listed(changes: label_reading.Changes) -> str:
    return label_spelling.in_words(changes)


def _far_numbers(targets: pa.Array, column: str) -> Iterator[str]:
    import pyarrow as pa

    if not pa.types.is_floating(targets.type):
        return
    if far := far_numbers.far_numbers(targets.drop_null().to_numpy(zero_copy_only=False)):
        set_aside = f"data.expectations can set it aside: {far.expectation(column)}"
        yield f"{far.in_words}. If that stands for no number, {set_aside}"
