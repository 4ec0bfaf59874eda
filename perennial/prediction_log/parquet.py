"""Parquet for the prediction log; the only place of it that needs pyarrow, and only when it is used."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.core.errors import ServingError
from perennial.prediction_log.logged import COLUMNS, LoggedRow

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 10_000
_TYPES = {"row": "int64", "score": "float64", "seconds": "float64"}


def require_pyarrow() -> None:
    """Raises ServingError where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ServingError(
            "serving.log.to is parquet, and the package pyarrow, which writes it, is not installed here.",
            remedy="Write serving.log.to: jsonl, which needs nothing and is read by all that reads Parquet here; or "
            "install pyarrow (the server's image leaves it out, as it takes 150 MB).",
        ) from None


def convert(lines: Path, target: Path) -> None:
    """Write the rows of the JSON Lines file `lines` to `target`, which is there whole or not at all. Raises OSError."""
    with lines.open("rb") as file:
        write_rows(map(json.loads, file), target)


def write_rows(rows: Iterator[LoggedRow], target: Path) -> None:
    """Write `rows` to `target`, in the place of what is there. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    part = target.with_name(f"{target.name}.part")
    schema = _schema()
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(rows, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    part.replace(target)


def rows_of_parquet(path: Path) -> Iterator[LoggedRow]:
    """The rows of a closed file."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            yield from batch.to_pylist()


def _schema() -> "pa.Schema":
    import pyarrow as pa

    named: dict[str, Any] = {"int64": pa.int64(), "float64": pa.float64()}
    return pa.schema([(name, named.get(_TYPES.get(name, ""), pa.string())) for name in COLUMNS])
