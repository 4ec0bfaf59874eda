import pyarrow as pa
import pyarrow.parquet as pq

from perennial.core.store import Store
from perennial.records.data import CheckedPart, Part, ValidatedData
from perennial.validation.read_rows import read_split


def test_each_nth_row_is_counted_over_parts(tmp_path) -> None:
    parts = []
    for name, rows in (("a", range(7)), ("b", range(7, 12))):
        split = ["train" if row % 3 else "test" for row in rows]
        pq.write_table(pa.table({"text": [str(row) for row in rows], "split": split}), tmp_path / name)
        source = Part(path=name, sha256=name, rows=len(rows))
        parts.append(CheckedPart(source=source, path=name, sha256=name, rows=1, quarantined=0, quarantine_path=None))
    data = ValidatedData(
        digest="d", parts=tuple(parts), rows={}, label_rows={}, quarantined=0, warnings=(), report_path=""
    )
    store = Store(tmp_path)
    assert read_split(data, store, "test", ["text"])["text"].to_pylist() == ["0", "3", "6", "9"]
    assert read_split(data, store, "train", ["text"], every=3)["text"].to_pylist() == ["1", "5", "10"]
