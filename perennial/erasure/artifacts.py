"""Artifacts of MLflow runs without forgotten rows: ids become pseudonyms, complaints lose their rows, figures stay."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from perennial.erasure import page_rows
from perennial.ingest.forgotten import Sieve
from perennial.promotion.safeguards import complaint_rows

NAMING = frozenset({"worst", "row_id"})
"""The keys of JSON records under which row ids are."""
ROW_ID = "row_id"
Masked = tuple[bytes, int]
"""The content without forgotten rows, and how often it named or held one."""


def masked(path: str, content: bytes, sieve: Sieve) -> Masked:
    """The artifact at `path` without forgotten rows; empty: nothing is left of it."""
    folder, _, name = path.rpartition("/")
    if folder.endswith(complaint_rows.FOLDER) and name.endswith(".jsonl"):
        return _complaints(content, sieve)
    mask = next((mask for suffix, mask in _MASKS.items() if name.endswith(suffix)), None)
    return mask(content, sieve) if mask else (content, 0)


def _complaints(content: bytes, sieve: Sieve) -> Masked:
    lines = content.splitlines(keepends=True)
    kept = [line for line in lines if not _complains(json.loads(line), sieve)]
    return b"".join(kept), len(lines) - len(kept)


def _complains(case: Mapping[str, Any], sieve: Sieve) -> bool:
    texts = [case[name] for name in sieve.text_columns if isinstance(case.get(name), str)]
    return bool(texts) and sieve.has_texts(texts)


def _json(content: bytes, sieve: Sieve) -> Masked:
    hits = 0

    def id_of(value: Any) -> Any:
        nonlocal hits
        name = sieve.id_pseudonym(value) if isinstance(value, str) else None
        hits += name is not None
        return value if name is None else name

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        after = {key: walk(inner) if key not in NAMING else inner for key, inner in value.items()}
        for key in NAMING & after.keys():
            inner = after[key]
            after[key] = [id_of(one) for one in inner] if isinstance(inner, list) else id_of(inner)
        if after.get(ROW_ID) != value.get(ROW_ID) and "line" in after:
            after["line"] = None  # the file and line lead to the row
        return after

    try:
        after = walk(json.loads(content))
    except ValueError:
        return content, 0
    return (json.dumps(after, indent=1, ensure_ascii=False).encode(), hits) if hits else (content, 0)


def _parquet(content: bytes, sieve: Sieve) -> Masked:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    if ROW_ID not in table.column_names:
        return content, 0
    ids = table[ROW_ID].to_pylist()
    names = [sieve.id_pseudonym(row_id) for row_id in ids]
    if not any(names):
        return content, 0
    after = pa.array([name or row_id for name, row_id in zip(names, ids, strict=True)], pa.string())
    sink = io.BytesIO()
    # A prediction is a label and scores: without the id it is nobody's, and the decision can be made again from it.
    pq.write_table(table.set_column(table.column_names.index(ROW_ID), ROW_ID, after), sink, compression="zstd")
    return sink.getvalue(), sum(name is not None for name in names)


def _page(content: bytes, sieve: Sieve) -> Masked:
    page, hits = page_rows.without_rows(content.decode(), sieve)
    return (page.encode(), hits) if hits else (content, 0)


_MASKS: Mapping[str, Callable[[bytes, Sieve], Masked]] = {".json": _json, ".parquet": _parquet, ".html": _page}
