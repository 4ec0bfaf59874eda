"""Small real data files for init."""

import csv
import gzip
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
WORDS = [
    "profit",
    "shares",
    "bank",
    "loss",
    "growth",
    "margin",
    "outlook",
    "dividend",
    "sales",
    "cost",
    "buyer",
    "plant",
    "order",
    "debt",
    "rise",
]


def sentence(number: int, words: int = 9) -> str:
    chooser = random.Random(number)  # noqa: S311
    return " ".join(chooser.choice(WORDS) for _ in range(words)) + f" {number}"


def rows(count: int = 200, labels: Sequence[Any] = ("bad", "good", "plain"), **columns: Any) -> list[Row]:
    """Rows with distinct texts and labels in turn; a column is a constant, or a function of the row's number."""
    extra = [{name: value(n) if callable(value) else value for name, value in columns.items()} for n in range(count)]
    return [{"text": sentence(n), "label": labels[n % len(labels)], **extra[n]} for n in range(count)]


def write(path: Path, rows: Sequence[Row], delimiter: str = ",") -> Path:
    content = _jsonl(rows) if ".json" in path.name else _csv(rows, "\t" if ".tsv" in path.name else delimiter)
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(content.encode()))
    else:
        path.write_text(content, encoding="utf-8", newline="")
    return path


def _jsonl(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _csv(rows: Sequence[Row], delimiter: str) -> str:
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows([{name: _cell(value) for name, value in row.items()} for row in rows])
    return target.getvalue()


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
