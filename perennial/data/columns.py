"""The canonical columns of a row: what every step after a source sees, whatever the source looked like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perennial import kinds
from perennial.spec import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

ROW_ID = "row_id"
TEXT_KEY = "text_key"
SPLIT = "split"
TIME = "time"
FILE = "file"
LINE = "line"


def schema(spec: PipelineSpec) -> pa.Schema:
    """The Arrow schema of a part.

    row_id: the id column, or a hash of the row's content (32 hex digits). text_key: hash of the normalised text
    (32 hex digits). split: train, validation or test. The kind's own columns (text, label, …). time: when the row
    came to be, UTC, null without a time column. file, line: where the row was read (for a query: "query" and the
    row's number), so that an error can name it. Then the slice columns, as text.
    """
    import pyarrow as pa

    return pa.schema(
        [
            (ROW_ID, pa.string()),
            (TEXT_KEY, pa.string()),
            (SPLIT, pa.string()),
            *kinds.get(spec.kind).column_types().items(),
            (TIME, pa.timestamp("us", tz="UTC")),
            (FILE, pa.string()),
            (LINE, pa.int64()),
            *((name, pa.string()) for name in spec.data.columns.slices),
        ]
    )
